"""Rewrites are repaired by code where that is safe, and told as repaired."""

import tomllib
from importlib import resources
from typing import Any

import pytest

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.services.prompts.constraints.camera import find_camera
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.optimizer import PromptOptimizer
from tests.services.calls import CALLER
from tests.services.prompts.asking import answer
from tests.support.upstream import ScriptedUpstream

LIGHT = "Soft morning light falls from the left, close-up of worn wood, warm muted tones."
SCENE = (
    "A vintage bicycle stands under an old tree in a quiet street, its chrome parts gleaming in"
    " the soft morning light. Ivy climbs the brick wall behind it, dew covers the cobblestones, and"
    " faded paint gives the scene a calm and weathered look."
)
PERSON = "A young woman walks by. Her hair flows in the wind. They laugh."


def optimize(
    optimizer: PromptOptimizer,
    upstream: ScriptedUpstream,
    written: str,
    prompt: str,
    kind: str = "image",
    **fields: Any,
) -> OptimizedPrompt:
    """Send a prompt to a model that always writes the same."""
    upstream.script(*[answer(written)] * 2)
    return optimizer.optimize(
        PromptRequest(prompt, kind, include_details=True, **fields), CALLER
    ).answer


def repaired(optimized: OptimizedPrompt) -> list[str]:
    """Return how a rewrite was repaired."""
    assert optimized.details is not None
    return list(optimized.details["repaired"])


def test_an_added_person_is_dropped_without_another_call(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    optimized = optimize(optimizer, upstream, f"{SCENE} {PERSON}", "a bicycle")

    assert (optimized.optimized_prompt, optimized.warnings) == (SCENE, [])
    assert repaired(optimized) == ["addition_dropped"]
    assert optimized.details is not None
    assert optimized.details["checks"]["first_problems"] == ["person_added"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("added", "prompt"),
    [
        (' A sign says "Sale".', "a bicycle"),
        (" The camera pans right.", "a bicycle, pan left"),
        (" A bright red car is parked beside it.", "a bicycle, no cars"),
        (" 柔和的光线洒在街道上。", "a bicycle"),
    ],
    ids=["a text", "a contrary move", "a denied thing", "another language"],
)
def test_other_additions_are_dropped_too(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, added: str, prompt: str
) -> None:
    written = f"{SCENE}{added} The camera pans left." if "pan" in prompt else SCENE + added

    optimized = optimize(optimizer, upstream, written, prompt)

    assert added.strip() not in optimized.optimized_prompt
    assert optimized.optimized_prompt.startswith(SCENE)
    assert repaired(optimized) == ["addition_dropped"]


def test_an_animal_is_no_person(optimizer: PromptOptimizer, upstream: ScriptedUpstream) -> None:
    cat = f"A cat sits on a sill, and she licks her paw. {LIGHT} {SCENE}"

    optimized = optimize(optimizer, upstream, f"{cat} A man walks by.", "a cat on a sill")

    assert optimized.optimized_prompt == cat


def test_of_tags_only_the_added_ones_are_dropped(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    written = "bicycle, soft morning light, young woman, warm muted tones, close-up"

    optimized = optimize(optimizer, upstream, written, "a bicycle", target_model="sdxl")

    assert optimized.optimized_prompt == "bicycle, soft morning light, warm muted tones, close-up"


@pytest.mark.parametrize(
    ("prompt", "written", "expected", "step"),
    [
        ("a bicycle, front view", SCENE, f"{SCENE} The scene is shown in a front view.", "camera"),
        ("a bicycle, pixel art", SCENE, f"Pixel art style: {SCENE}", "style"),
        ("一辆自行车，水彩画风格", "一辆自行车停在街边，光线柔和。", "水彩", "style"),
    ],
    ids=["an angle", "a style", "a style in Chinese"],
)
def test_a_style_and_a_camera_are_put_back_at_once(  # a row each
    optimizer: PromptOptimizer,
    upstream: ScriptedUpstream,
    prompt: str,
    written: str,
    expected: str,
    step: str,
) -> None:
    optimized = optimize(optimizer, upstream, written, prompt)

    assert optimized.optimized_prompt.startswith(expected)
    assert f"{step}_restored" in repaired(optimized)


def test_lost_things_come_back_in_the_words_of_the_user(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    optimized = optimize(optimizer, upstream, SCENE, "a bicycle and two umbrellas")

    assert optimized.optimized_prompt == f"A bicycle and two umbrellas. {SCENE}"
    assert repaired(optimized) == ["prompt_put_in_front"]
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("prompt", "written", "expected"),
    [
        (
            "portrait, (blue eyes:1.4), <lora:detail:0.8>, __hair__",
            "portrait, blue eyes, soft window light, close-up",
            "portrait, (blue eyes:1.4), <lora:detail:0.8>, __hair__, soft window light, close-up",
        ),
        (
            "{red|green} dress BREAK a forest",
            "red dress, a forest, soft light, (fine, woven:1.1) texture",
            "{red|green} dress BREAK a forest, soft light, (fine, woven:1.1) texture",
        ),
    ],
)
def test_tags_that_are_put_in_front_are_not_there_twice(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, prompt: str, written: str, expected: str
) -> None:
    optimized = optimize(optimizer, upstream, written, prompt, target_model="sdxl")

    assert optimized.optimized_prompt == expected
    assert "prompt_put_in_front" in repaired(optimized)


def test_only_the_sentence_that_was_lost_is_put_in_front(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    prompt = "A bicycle stands there. Two umbrellas lie on a bench."

    optimized = optimize(optimizer, upstream, SCENE, prompt)

    assert optimized.optimized_prompt == f"Two umbrellas lie on a bench. {SCENE}"


def test_a_correction_by_the_model_comes_before_much_by_code(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    good = f"A bicycle leans on a wall. {LIGHT}"
    upstream.script(answer(f"A bicycle, soft light. {PERSON}"), answer(good))

    optimized = optimizer.optimize(PromptRequest("a bicycle", "image"), CALLER).answer

    assert (optimized.optimized_prompt, optimized.warnings) == (good, [])


def test_what_is_about_something_else_is_not_repaired(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    optimized = optimize(optimizer, upstream, f"A castle on a hill. {LIGHT}", "two red umbrellas")

    assert optimized.optimized_prompt == "two red umbrellas"
    assert len(optimized.warnings) == 1
    assert repaired(optimized) == []


def test_an_end_that_breaks_off_is_dropped(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    optimized = optimize(optimizer, upstream, f"{SCENE} In the", "a bicycle")

    assert (optimized.optimized_prompt, repaired(optimized)) == (SCENE, ["shortened"])


def test_a_rewrite_that_is_too_long_loses_its_last_sentences(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    written = f"{SCENE} {LIGHT} {LIGHT}"

    optimized = optimize(optimizer, upstream, written, "a bicycle", max_length=len(SCENE) + 40)

    assert optimized.optimized_prompt == SCENE


def test_a_sentence_with_another_number_of_something_is_dropped(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    written = f"Two umbrellas lie on a bench. {SCENE} The three umbrellas are wet."

    optimized = optimize(optimizer, upstream, written, "two umbrellas and a bicycle")

    assert optimized.optimized_prompt == f"Two umbrellas lie on a bench. {SCENE}"
    assert optimized.warnings == []


REPAIRED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a text that comes back with its sentence": (
        'a sign "OPEN" on a bicycle',
        SCENE,
        {},
        f'A sign "OPEN" on a bicycle. {SCENE}',
    ),
    "a style in another language": (
        "一辆自行车，水彩画",
        SCENE,
        {"language": "en"},
        f"Watercolor style: {SCENE}",
    ),
    "a move in another language": (
        "a vintage bicycle in a quiet street and two umbrellas",
        SCENE,
        {"camera": "镜头拉远"},
        f"A vintage bicycle in a quiet street and two umbrellas. {SCENE} The camera zooms out.",
    ),
    "a move as a tag": (
        "a bicycle, pan left",
        "bicycle, soft morning light, warm muted tones",
        {"target_model": "sdxl"},
        "bicycle, soft morning light, warm muted tones, pan left",
    ),
    "a sentence that ends in Chinese": (
        "a bicycle",
        f"{SCENE} A bicycle leans on the old wall, 一个女孩走过。",
        {},
        f"{SCENE} A bicycle leans on the old wall.",
    ),
    "a rider who is gone": (
        "a horse and a bicycle",
        f"A horse trots. {SCENE} Its rider leans forward. He holds the reins.",
        {},
        f"A horse trots. {SCENE}",
    ),
    "a horse that is meant": (
        "a horse and a bicycle",
        f"{SCENE} A man leaves. A horse trots. He shakes his mane.",
        {},
        f"{SCENE} A horse trots. He shakes his mane.",
    ),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_a_repaired_text_reads_as_one(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, name: str
) -> None:
    prompt, written, fields, expected = REPAIRED[name]

    optimized = optimize(optimizer, upstream, written, prompt, **fields)

    assert optimized.optimized_prompt == expected


def test_a_style_without_a_name_in_chinese_is_not_put_back(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    prompt = "a bicycle, watercolor"

    optimized = optimize(
        optimizer, upstream, "一辆自行车停在街边，光线柔和。", prompt, language="zh"
    )

    assert optimized.optimized_prompt == prompt


@pytest.mark.parametrize(("sentences", "is_repaired"), [(20, True), (21, False)])
def test_sentences_are_recounted_up_to_so_many(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, sentences: int, *, is_repaired: bool
) -> None:
    scene = "Two umbrellas lie in soft light." + " Rain falls." * (sentences - 2)

    optimized = optimize(optimizer, upstream, f"{scene} Three umbrellas.", "two umbrellas")

    assert optimized.optimized_prompt.startswith(scene) is is_repaired


@pytest.mark.parametrize(("sentences", "is_repaired"), [(40, True), (41, False)])
def test_a_prompt_of_so_many_sentences_is_put_in_front_in_parts(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, sentences: int, *, is_repaired: bool
) -> None:
    prompt = "A bicycle. Two umbrellas." + " Tree bark." * (sentences - 2)

    optimized = optimize(optimizer, upstream, SCENE, prompt)

    assert optimized.optimized_prompt.startswith("Two umbrellas. A vintage") is is_repaired


def test_the_movement_that_is_added_suits_a_quick_one_too(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    written = "A car explodes on a road, with fire in soft light. A man runs away."

    optimized = optimize(optimizer, upstream, written, "a car suddenly explodes", "video")

    assert "The movement stays smooth" in optimized.optimized_prompt
    assert "slow" not in optimized.optimized_prompt


# --- how a film is filmed ---


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("a bicycle", SCENE.replace("close-up", "")),
        ("一辆自行车停在街边", "一辆自行车停在街边，链条泛着微光，树叶在风中轻轻摇曳，光线柔和。"),
        ("一辆自行车停在街边，水彩画", "水彩画，一辆自行车停在街边，树叶在风中轻晃，光线柔和。"),
    ],
    ids=["english", "chinese", "a painting"],
)
def test_a_film_is_told_how_it_is_filmed(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, prompt: str, written: str
) -> None:
    first = optimize(optimizer, upstream, written, prompt, "video")
    second = optimize(optimizer, upstream, written, prompt, "video")

    assert first.optimized_prompt.startswith(written)
    assert find_camera(read(first.optimized_prompt)).shots
    assert repaired(first) == ["framing_added"]
    assert first.optimized_prompt == second.optimized_prompt


@pytest.mark.parametrize(
    ("prompt", "kind", "fields"),
    [
        ("a bicycle", "image", {}),
        ("a bicycle", "video", {"max_length": len(SCENE) + 5}),
        ("a bicycle, pan left", "video", {}),
    ],
    ids=["an image", "no room", "told by the user"],
)
def test_nothing_is_said_of_filming_where_that_would_be_wrong(
    optimizer: PromptOptimizer,
    upstream: ScriptedUpstream,
    prompt: str,
    kind: str,
    fields: dict[str, Any],
) -> None:
    optimized = optimize(optimizer, upstream, SCENE, prompt, kind, **fields)

    assert "framing_added" not in repaired(optimized)


def test_every_word_for_the_camera_can_be_put_back() -> None:
    package = resources.files("llm_api.services.prompts.repair")
    table = tomllib.loads(package.joinpath("sentences.toml").read_text("utf-8"))["camera"]

    for label, sentence in table.items():
        for text in sentence.values():
            assert label in find_camera(read(text)).labels(), text
