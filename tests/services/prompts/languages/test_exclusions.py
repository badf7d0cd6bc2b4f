"""What a prompt excludes is read in every language of the bench, and held against its rewrites."""

import tomllib
from collections.abc import Iterator

import pytest

from llm_api.services.prompts.constraints.constraints import find_constraints
from llm_api.services.prompts.languages.exclusions import CONCEPTS, exclusions_in, shows
from tests.services.prompts.asking import task_of
from tests.services.prompts.languages.bench import PROMPTS, Row, rows
from tests.services.prompts.languages.test_languages import validator
from tests.support.tables import each

TABLE = tomllib.loads(PROMPTS.with_name("excluded.toml").read_text("utf-8"))
WANTED = tomllib.loads(PROMPTS.with_name("wanted_people.toml").read_text("utf-8"))
BEACHES = [row for row in rows() if row.scene == "beach"]


def cases() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield a language, a text, and what that excludes."""
    for language, texts in TABLE.items():
        for text, *concepts in texts["excluded"]:
            yield language, text, tuple(concepts)


@each(("language", "text", "concepts"), list(cases()))
def test_what_a_text_excludes_is_read(language: str, text: str, concepts: tuple[str, ...]) -> None:
    found = {one.concept: one.words for one in exclusions_in(text, language)}

    assert sorted(found) == sorted(concepts)
    assert all(words in text for words in found.values())


def test_thirty_languages_and_more_are_read() -> None:
    assert {row.language for row in rows()} <= TABLE.keys()
    assert len(TABLE) >= 36
    for concept in CONCEPTS:
        assert sum(concept in found for _, _, found in cases()) >= 5


@each("row", BEACHES)
def test_people_that_a_prompt_excludes_are_noticed_in_its_rewrite(row: Row) -> None:
    people = (
        TABLE[row.written_in]["people"] if row.written_in != "en" else "Some people stand there."
    )
    end = "" if row.rewrite[-1] in ".。।" else "."
    peopled = f"{row.rewrite}{end} {people}"

    assert "negation_broken" in validator().validate(task_of(row.prompt), peopled).codes
    assert "negation_broken" not in validator().validate(task_of(row.prompt), row.rewrite).codes


@each(
    ("prompt", "rewrite"),
    [
        (
            "Una mujer sola en la playa, sin otras personas",
            "A woman stands alone on the beach at dusk, soft light on the water, wide shot.",
        ),
        (
            "Retrato de Frida Kahlo en un jardín, sin gente",
            "A portrait of Frida Kahlo in a lush garden, an intense woman among green leaves.",
        ),
        (
            "Un cartel que dice «AURORA», sin texto debajo",
            "A poster that reads «AURORA», with lettering in cream and nothing below the text.",
        ),
        (
            "Eine leere Straße ohne Autos",
            "An empty street at dawn, free of cars, wet asphalt under pale light, wide shot.",
        ),
        (
            "Пустая комната без текста",
            "An empty room with textured walls, text-free, soft window light from the left.",
        ),
    ],
)
def test_what_a_prompt_may_want_is_not_held_against_its_rewrite(prompt: str, rewrite: str) -> None:
    assert "negation_broken" not in validator().validate(task_of(prompt), rewrite).codes


@each(
    ("prompt", "rewrite"),
    [
        (
            "Eine leere Straße ohne Autos",
            "An empty street at dawn with two parked cars, wet asphalt.",
        ),
        (
            "Пустая комната без текста",
            "An empty room with a text on the wall, soft light, wide shot.",
        ),
        (
            "部屋、ロゴなし",
            "A tidy room with a large logo on the wall, soft light from the left side.",
        ),
        (
            "صورة قطة بدون علامة مائية",
            "A cat on a sill, soft light, a faint watermark in the corner.",
        ),
    ],
)
def test_other_things_are_noticed_as_well(prompt: str, rewrite: str) -> None:
    assert "negation_broken" in validator().validate(task_of(prompt), rewrite).codes


@pytest.mark.parametrize("text", ["Unas personas en la playa, sin viento", "playa con gente"])
def test_what_is_there_is_not_excluded(text: str) -> None:
    assert list(exclusions_in(text, "es")) == []
    assert shows("Unas personas en la playa.", "es", "people")


def test_models_are_told_what_is_unwanted() -> None:
    assert find_constraints("Una playa vacía, sin personas ni texto").in_words["negations"] == (
        "personas",
        "texto",
    )


@each(
    ("prompt", "rewrite"),
    [(prompt, rewrite) for row in WANTED.values() for prompt, rewrite in row.get("own", ())],
)
def test_somebody_of_a_prompt_may_be_in_a_rewrite_without_other_people(
    prompt: str, rewrite: str
) -> None:
    codes = validator().validate(task_of(prompt), rewrite).codes
    assert codes.isdisjoint({"negation_broken", "person_added"})


@each(
    ("language", "text"),
    [(language, text) for language, row in WANTED.items() for text in row.get("crowds", ())],
)
def test_people_who_lack_something_are_not_excluded(language: str, text: str) -> None:
    assert "people" not in {one.concept for one in exclusions_in(text, language)}


@each(
    ("language", "text"),
    [(language, text) for language, row in WANTED.items() for text in row.get("empty", ())],
)
def test_people_are_excluded_in_many_ways(language: str, text: str) -> None:
    assert "people" in {one.concept for one in exclusions_in(text, language)}


@each(
    ("prompt", "rewrite"),
    [
        (
            "Eine leere Straße ohne Menschen",
            "An empty street at dawn, wet asphalt, a woman with an umbrella walks by.",
        ),
        (
            "Una mujer en la playa, sin gente alrededor",
            "A woman on the beach at dawn, a crowd of people watches her from the pier.",
        ),
        (
            "人のいない森の小道",
            "A path through a quiet forest, soft light, a child with a red balloon.",
        ),
        (
            "A woman on the beach, no people in the background",
            "A woman on the beach at dawn, a crowd watches her from the pier, wide shot.",
        ),
        (
            "Children playing, no adults",
            "Children play on a sunny meadow, two adults watch them, warm light.",
        ),
        ("海边的女人，背景没有路人", "海边的女人，身后有几个路人，柔和的晨光，中景构图。"),
    ],
)
def test_somebody_who_comes_in_is_noticed(prompt: str, rewrite: str) -> None:
    assert "negation_broken" in validator().validate(task_of(prompt), rewrite).codes
