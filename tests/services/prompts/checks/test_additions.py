"""Only what a rewrite verifiably added is called an improvement."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.checks.additions import Evidence, all_evidence, improvements

DETAILS = "Enhanced visual details"
COMPOSITION = "Improved composition structure"
TECHNICAL = "Added technical parameters"
QUALITY = "Optimized for generation quality"

TRUE = [
    ("a cat", "a cat, soft morning light", [DETAILS]),
    ("a cat", "a cat, centered composition", [COMPOSITION]),
    ("a cat", "a cat, shallow depth of field", [TECHNICAL]),
    ("a cat", "a cat, 85mm lens", [TECHNICAL]),
    ("a cat", "a cat, crisp", [QUALITY]),
    ("a cat", "a cat, sharp focus", [TECHNICAL, QUALITY]),
    (
        "a cat",
        "a cat, crisp, bokeh, close-up, warm light",
        [DETAILS, COMPOSITION, TECHNICAL, QUALITY],
    ),
    ("a cat in soft light", "a cat in soft light, warm palette", [DETAILS]),
    ("一只猫", "一只猫，柔和的晨光", [DETAILS]),
    ("一只猫", "一只猫，特写", [COMPOSITION]),
    ("一只猫", "一只猫，浅景深", [TECHNICAL]),
    ("一只猫", "一只猫，动作流畅", [QUALITY]),
]


@pytest.mark.parametrize(("original", "rewrite", "expected"), TRUE)
def test_what_was_added_is_named(original: str, rewrite: str, expected: list[str]) -> None:
    assert improvements(original, rewrite) == expected


UNTRUE = {
    "unchanged": ("a cat", "a cat"),
    "unchanged with evidence": ("a sharp cat, 85mm, close-up", "a sharp cat, 85mm, close-up"),
    "other order": ("light, a cat, close-up", "a cat, close-up, light"),
    "other case": ("a cat in soft light", "A cat in Soft Light"),
    "said twice": ("a cat in soft light", "a cat in soft light, light"),
    "removed": ("a cat in soft light, close-up", "a cat"),
    "only words": ("a cat", "a very cute and lovely cat that everybody adores"),
    "praise": ("a cat", "a masterpiece of a cat, award-winning, trending"),
    "other words that begin alike": ("a gardener", "a gardener turning compost"),
    "mistake is no mist": ("a gardener", "a gardener who made a mistake"),
    "a building is no steadiness": ("a horse", "a horse in a stable"),
    "a lighthouse is no light": ("a coast", "a coast with a lighthouse"),
    "电影 is no shadow": ("一个女孩", "一个女孩在看电影"),
    "角色 is no color": ("一个女孩", "一个女孩，故事的主要角色"),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_nothing_untrue_is_claimed(name: str) -> None:
    original, rewrite = UNTRUE[name]

    assert improvements(original, rewrite) == []


# Words of evidence in every form, and what can stand beside them in a text.
SHOWN = st.sampled_from(all_evidence()).flatmap(
    lambda evidence: st.from_regex(evidence.any, fullmatch=True)
)
BESIDE = st.sampled_from(
    [
        *("a", "the", "cat", "3", "35", "8", "mm", "2.8", "f", "/", "smooth", "continuous", "fine"),
        *("motion", "high", "texture", "_light", "lightx", "SHARP", "Lens"),
        *("猫", "的", "３５mm", "\u212a", "\u0327"),
    ]
)
TEXTS = st.lists(st.tuples(SHOWN | BESIDE, st.sampled_from(["", " ", " ", "-"])), max_size=8).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)


@given(TEXTS, TEXTS)
def test_evidence_is_found_as_by_a_search_of_the_whole_text(original: str, rewrite: str) -> None:
    def shown(words: re.Pattern[str], text: str) -> set[str]:
        return {found[0] for found in words.finditer(text.lower())}

    expected = [
        evidence.sentence
        for evidence in all_evidence()
        if shown(evidence.any, rewrite) - shown(evidence.any, original)
    ]

    assert improvements(original, rewrite) == expected


def test_evidence_is_found_among_many_numbers() -> None:
    numbers = " ".join(map(str, range(1_000, 1_200)))

    assert improvements("a cat", f"{numbers} 35 mm") == [TECHNICAL]
    assert improvements("a cat", f"mm {numbers}") == []


def alternatives(pattern: str) -> list[str]:
    """Return the alternatives of a pattern of words, those in brackets inside of it left whole."""
    flat = re.sub(r"\([^()]*\)", lambda inner: inner[0].replace("|", "/"), pattern[3:-3])
    return flat.split("|")


@pytest.mark.parametrize("evidence", all_evidence(), ids=lambda evidence: evidence.sentence)
def test_every_word_of_evidence_has_an_opening(evidence: Evidence) -> None:
    starts = [
        re.match(r"[a-z]*(?!\?)", words)[0] for words in alternatives(evidence.in_ascii.pattern)
    ]
    openings = tuple(evidence.openings)

    assert [start for start in starts if start and not start.startswith(openings)] == []


@pytest.mark.parametrize("words", ["35mm", "35 mm", "f/2.8", "4k"])
def test_numbers_are_evidence(words: str) -> None:
    assert improvements("a cat", f"a cat, {words}") == [TECHNICAL]
