"""Other words for the same thing keep it; another thing, place, color or move does not."""

from typing import Any

import pytest

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.constraints.constraints import find_constraints

KEPT = {
    "digit for word": ("three cats", "A row of 3 cats in soft light."),
    "word for chinese": ("三只猫", "窗台上坐着三只毛茸茸的猫。"),
    "smartphone": ("a cell phone", "A sleek smartphone lies on a table."),
    "hair dryer": ("a hair drier", "A hair dryer with a chrome nozzle."),
    "a kind of the thing": ("a dog", "A golden retriever in soft light."),
    "a person is a woman": ("a person and a sink", "A young woman at a white sink."),
    "converse": ("a cat to the left of a dog", "A dog sits to the right of a cat."),
    "places": ("a cat to the left of a dog", "On the left a cat, on the right a dog."),
    "chinese converse": ("猫在狗的左边", "狗安静地坐在猫的右边。"),
    "color behind": ("a red car", "A car, its paint a glossy crimson."),
    "style by another name": ("a fox, watercolor", "A watercolour painting of a fox."),
    "pushed in": ("a fox, zoom in", "The camera slowly pushes in on a fox."),
    "pan in other words": ("a fox, pan right", "The camera pans from left to right past a fox."),
    "no people worded positively": ("a beach, no people", "An empty, deserted beach at dawn."),
    "passersby only thought of": ("a bench", "A bench inviting weary passersby to rest."),
    "a buyer only thought of": ("a sofa", "A sofa, as if made for someone to rest."),
    "a maker only thought of": ("a vase", "A vase that shows the artisan's great skill."),
    "an eye only spoken of": ("a river", "A river seen with the eyes of a dreamy artist."),
    "single ones": ("flowers", "Close-up of individual blossoms in soft light."),
    "a kind of car": ("a driveway", "A family car on a driveway, a carpet runner at the door."),
    "a name of little words": ("the In-Out sign", "The In-Out sign in soft light."),
    "adjective of a name": ("a cafe in Paris", "A Parisian café in soft light."),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_said_in_other_words_is_kept(name: str) -> None:
    prompt, rewrite = KEPT[name]
    wanted = RewriteRequirements("image", find_constraints(prompt).language)

    assert find_violations(prompt, rewrite, wanted) == []


LOST = {
    "another count": ("three cats", "Four cats in a row.", "count_changed"),
    "more than one": ("a cat", "Two cats in soft light.", "count_changed"),
    "colors swapped": ("a red car, a blue boat", "A blue car and a red boat.", "color_lost"),
    "a name of little words": ("the In-Out sign", "The sign in soft light.", "name_lost"),
    "another side": ("猫在狗的左边", "猫在狗的右边。", "relation_lost"),
    "another place": ("a cat under a table", "A cat above a table.", "relation_lost"),
    "another move": ("a fox, pan left", "The camera pans right past a fox.", "camera_lost"),
    "a second move": (
        "a fox, zoom in",
        "The camera zooms in on a fox and then zooms out.",
        "camera_added",
    ),
    "banned": ("a beach, no people", "A beach with a few people.", "negation_broken"),
    "denied again": ("a beach, no people", "A beach with no people.", "negation_worded"),
    "rider": ("a bicycle", "A bicycle and its rider.", "person_added"),
    "somebody after a skill": ("a bike", "A touch of skill. The cyclist waits.", "person_added"),
    "individuals": ("a street", "A street with individuals in coats.", "person_added"),
    "orbit the other way": (
        "a fox, the camera orbits clockwise",
        "A fox. The camera orbits counterclockwise.",
        "camera_lost",
    ),
    "name": ("a cafe in Paris", "A cafe in Rome.", "name_lost"),
    "new text": ("a cafe", 'A cafe with a sign "BAR".', "quote_added"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_changed_is_told(name: str) -> None:
    prompt, rewrite, code = LOST[name]
    wanted = RewriteRequirements("image", find_constraints(prompt).language)

    found = find_violations(prompt, rewrite, wanted)

    assert code in {violation.code for violation in found}


@pytest.mark.parametrize(
    ("wanted", "rewrite", "codes"),
    [
        ({"style": "anime"}, "A cat in anime style. Soft light.", []),
        ({"style": "anime"}, "A cat. Soft light.", ["style_lost"]),
        ({"style": "anime"}, "Anime cat, anime light.", ["style_repeated"]),
        ({"style": "anime"}, "An anime cat, 85mm lens.", ["lens_talk"]),
        ({"enhance_details": False}, "A cat on a table.", ["noun_added"]),
        ({"max_length": 10}, "A cat in soft light.", ["too_long"]),
        ({"min_length": 90}, "A cat in soft light.", ["too_short"]),
        ({"preserve": ("soft fur",)}, "A cat.", ["preserve_lost"]),
    ],
)
def test_what_is_asked_beside_the_prompt_is_checked(
    wanted: dict[str, Any], rewrite: str, codes: list[str]
) -> None:
    found = find_violations("a cat", rewrite, RewriteRequirements("image", "en", **wanted))

    assert [violation.code for violation in found] == codes


def test_what_was_lost_is_named_in_both_sentences() -> None:
    [found] = find_violations(
        "three cats", "Four cats in a row.", RewriteRequirements("image", "en")
    )

    assert '"three cats"' in found.message
    assert '"three cats"' in found.instruction
    assert not found.is_hard
