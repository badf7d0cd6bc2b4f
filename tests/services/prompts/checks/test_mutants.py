"""The checker passes good rewrites and notices what was done to spoilt ones."""

import json
from collections import Counter

import pytest

from benchmarks.prompts.mutations import Good, Mutant, mutants
from benchmarks.prompts.variants import CHANGES, variants
from tests.support.service import REPOSITORY_ROOT

ROWS = [
    json.loads(line)
    for line in (REPOSITORY_ROOT / "benchmarks/prompts/own.jsonl").read_text("utf-8").splitlines()
]
GOOD = [Good(row["prompt"], row["good_rewrite"], row["type"]) for row in ROWS]
HARMLESS = [(good, variant) for good in GOOD for variant in variants(good)]
SPOILT = [(good, mutant) for good in GOOD for mutant in mutants(good)]
BANDS = {
    ("en", "image"): (40, 150),
    ("en", "video"): (60, 200),
    ("zh", "image"): (60, 300),
    ("zh", "video"): (80, 300),
}


def missed() -> list[Mutant]:
    return [mutant for good, mutant in SPOILT if not mutant.is_caught_by(good.codes(mutant.text))]


def test_the_set_has_both_languages_and_types() -> None:
    kinds = Counter((row["language"], row["type"]) for row in ROWS)

    assert len(ROWS) >= 60
    assert set(kinds) == set(BANDS)
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_good_rewrites_raise_no_alarm() -> None:
    alarms = {good.prompt: good.codes() for good in GOOD}

    assert sum(map(bool, alarms.values())) <= len(GOOD) // 100, alarms


@pytest.mark.parametrize("kind", CHANGES)
def test_harmless_changes_of_good_rewrites_raise_no_alarm(kind: str) -> None:
    changed = [(good, variant) for good, variant in HARMLESS if variant.kind == kind]

    assert len(changed) >= 10
    assert [one.text for good, one in changed if good.codes(one.text)] == []


def test_unchanged_prompts_raise_no_alarm() -> None:
    """What was forbidden is worded in them, which is no way to write a rewrite."""
    alarms = {good.prompt: set(good.codes(good.prompt)) - {"negation_worded"} for good in GOOD}

    assert {prompt: codes for prompt, codes in alarms.items() if codes} == {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_good_rewrites_are_of_the_right_length(row: dict[str, str]) -> None:
    text = row["good_rewrite"]
    size = len(text) if row["language"] == "zh" else len(text.split())
    low, high = BANDS[row["language"], row["type"]]

    assert low <= size <= high


def test_spoilt_rewrites_are_noticed() -> None:
    assert len(SPOILT) > 1_000
    assert len(missed()) <= 0.02 * len(SPOILT), [(one.kind, one.text) for one in missed()]


@pytest.mark.parametrize("kind", sorted({mutant.kind for _, mutant in SPOILT}))
def test_every_kind_of_spoiling_is_noticed(kind: str) -> None:
    spoilt = [pair for pair in SPOILT if pair[1].kind == kind]
    caught = sum(mutant.is_caught_by(good.codes(mutant.text)) for good, mutant in spoilt)

    assert caught >= 0.9 * len(spoilt)
