"""Of several patterns that match a name, the most specific counts."""

import pytest

from llm_api.domain.name_patterns import NamePatterns

PATTERNS = ["*", "gpt-*", "gpt-4*", "gpt-4*-mini", "*-mini", "a.c*", "gpt-4o"]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("gpt-3.5", "gpt-*"),
        ("gpt-4o", "gpt-4*"),  # the entry without * is no pattern
        ("gpt-4o-mini", "gpt-4*-mini"),
        ("o4-mini", "*-mini"),
        ("gpt-", "gpt-*"),
        ("abc", "*"),  # a dot is a dot
        ("a.cd", "a.c*"),
        ("GPT-4o", "*"),
        ("x\ngpt-4", "*"),
        ("", "*"),
    ],
)
def test_the_most_specific_pattern_counts(name: str, pattern: str) -> None:
    assert NamePatterns({p: p for p in PATTERNS}).find(name) == pattern


def test_of_equally_long_ones_the_one_with_fewer_gaps_counts() -> None:
    assert NamePatterns({"a*b*c": 1, "ab*c": 2, "*abc": 2}).find("abc") == 2


def test_where_none_matches_there_is_nothing() -> None:
    assert NamePatterns({"gpt-*": 1, "qwen-max": 2}).find("qwen-max") is None
