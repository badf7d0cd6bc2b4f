"""A text is read once: its terms are made when they are asked for, and are always the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.constraints.reading import Reading, Term, read
from llm_api.services.prompts.vocabulary.words import THINGS, phrases

PHRASES = [" ".join(phrase.tokens) for known in phrases().values() for phrase in known]
PARTS = st.sampled_from(PHRASES) | st.sampled_from(["xyz", "12", "٣", ",", ".", "-", '"Open 7"'])
TEXTS = st.lists(PARTS, max_size=12).map(" ".join)


def terms_of(reading: Reading) -> list[Term]:
    return [term for at in range(len(reading.tokens)) for term in reading.at(at)]


@given(TEXTS)
def test_terms_are_the_same_by_kind_and_by_place(text: str) -> None:
    reading = read(text)
    terms = terms_of(reading)
    kinds = sorted({term.kind for term in terms})

    assert sorted(reading.of(*kinds)) == sorted(terms)
    assert reading.starts(kinds) == sorted({term.start for term in terms})
    assert all(reading.has(term.kind, term.concept) for term in terms)


@given(TEXTS)
def test_numerals_are_the_numbers_in_digits(text: str) -> None:
    reading = read(text)

    expected = [at for at, token in enumerate(reading.tokens) if token.isdecimal()]

    assert list(reading.numerals) == expected


@pytest.mark.parametrize("phrase", ["red", "in front of", "close up"])
def test_a_phrase_is_found_as_the_longest(phrase: str) -> None:
    terms = terms_of(read(f"xyz {phrase} xyz"))

    assert {(term.start, term.end) for term in terms} == {(1, 1 + len(phrase.split()))}


def test_terms_are_made_once() -> None:
    reading = read("a red cat, a red dog")

    assert reading.of("color")[0] is reading.at(1)[0]
    assert reading.of("color") is reading.of("color")


@given(TEXTS)
def test_terms_of_some_concepts_are_those_of_their_kind(text: str) -> None:
    reading = read(text)

    for kind in reading.places:
        concepts = {term.concept for term in reading.of(kind)[::2]}
        wanted = [term for term in reading.of(kind) if term.concept in concepts]
        assert list(read(text).among(kind, concepts)) == wanted


@given(TEXTS)
def test_things_are_the_concepts_of_the_terms_that_name_something(text: str) -> None:
    reading = read(text)

    assert reading.things() == {term.concept for term in reading.of(*sorted(THINGS))}
