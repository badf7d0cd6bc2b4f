"""Phrases are offered where they are right, and every example is one that could be chosen."""

import itertools
import re

import pytest

from llm_api.services.prompts.enrichment.facets import all_facets
from tests.services.prompts.asking import KINDS

FACETS = all_facets()
NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_prompt_leaves_every_facet_open(kind: str) -> None:
    names = [facet.name for facet in FACETS.open_for(kind, "a thing", NOTHING)]

    assert {"lighting", "composition", "palette", "camera"} <= set(names)
    assert len(names) >= 5


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_scene_is_each_facet_has_a_phrase(kind: str) -> None:
    facets = FACETS.open_for(kind, "a thing", NOTHING)
    scenes = ["dark", "space", "underwater", "indoor", "wide", "group", "still", "quick", "alive"]

    for pair in itertools.combinations(scenes, 2):
        left = {facet.name for facet in FACETS.open_for(kind, "a thing", frozenset(pair))}
        assert left == {facet.name for facet in facets}, pair


@pytest.mark.parametrize("kind", KINDS)
def test_every_phrase_is_evidence_of_its_facet_in_both_languages(kind: str) -> None:
    # So a prompt that was optimized once has nothing open, and is not asked about again.
    for facet in FACETS.open_for(kind, "a thing", NOTHING):
        assert all(facet.already.search(phrase.en) for phrase in facet.phrases), facet.name
        assert all(facet.already.search(phrase.zh) for phrase in facet.phrases), facet.name


@pytest.mark.parametrize("kind", KINDS)
def test_phrases_can_stand_in_a_pattern(kind: str) -> None:
    for facet in FACETS.open_for(kind, "a thing", NOTHING):
        assert all(re.fullmatch(r"[A-Za-z ,-]+", phrase.en) for phrase in facet.phrases)


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_taken_from_the_phrases(kind: str) -> None:
    scenes = ["wide", "indoor", "wet", "macro", "group", "quick", "still", "alive", "flowing"]
    offered = {
        phrase.en
        for scene in [*scenes, "dark", "portrait", ""]
        for facet in FACETS.open_for(kind, "a thing", frozenset([scene]))
        for phrase in facet.phrases
    }

    chosen = {one for example in FACETS.examples[kind] for one in example.chosen.values()}

    assert chosen <= offered


def test_what_was_added_is_told_by_its_facet() -> None:
    added = FACETS.added("image", "a cat by lamp light", "A cat by lamp light, close-up, 85mm lens")

    assert list(added) == ["composition", "camera"]
