"""A plan becomes a prompt in the form of each target, and nothing that the plan does not say."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from llm_api.services.prompts.dialects.dialect_table import rendered, rendered_own, rendered_text
from llm_api.services.prompts.dialects.plan import Plan, plan_of
from llm_api.services.prompts.text import fold
from tests.services.prompts.asking import task_of
from tests.services.prompts.dialects.scenes import (
    CAT,
    CAT_SCENE,
    FOX_SCENE,
    FOXES,
    SCHEMAS,
    texts_in,
)

JSON_TARGETS = sorted(SCHEMAS)
# What stands in JSON without being said of the scene.
OF_THE_FORM = {
    *("as described", "photograph", "obj", "text", "left", "right", "small", "medium", "red"),
    "large within frame",
}


def plan_in(scene: dict[str, Any]) -> Plan:
    plan = plan_of(scene)
    assert plan is not None
    return plan


def prompt_for(target: str, scene: dict[str, Any], prompt: str = FOXES, **fields: Any) -> str:
    kind = "video" if "beats" in scene else "image"
    return rendered(task_of(prompt, kind, target_model=target, **fields), plan_in(scene)).prompt


def is_valid(target: str, prompt: str) -> bool:
    return jsonschema_rs.Draft202012Validator(SCHEMAS[target]).is_valid(json.loads(prompt))


# --- JSON ---


@pytest.mark.parametrize("target", JSON_TARGETS)
def test_json_is_as_its_public_schema_has_it(target: str) -> None:
    bare = {"summary": "a fox"}
    styled = {**FOX_SCENE, "style": "watercolor"}
    scenes = [FOX_SCENE, bare, styled, {**bare, "style": "film photo"}, {"things": ["a fox"]}]

    wrong = [scene for scene in scenes if not is_valid(target, prompt_for(target, scene))]

    assert wrong == []
    assert is_valid(target, rendered_own(task_of(FOXES, target_model=target)))


@pytest.mark.parametrize("target", JSON_TARGETS)
def test_json_says_nothing_that_the_checks_have_not_read(target: str) -> None:
    rendering = rendered(task_of(FOXES, target_model=target), plan_in(FOX_SCENE))
    read = fold(rendering.text)

    texts = set(texts_in(json.loads(rendering.prompt))) - OF_THE_FORM
    pieces = {piece for text in texts for piece in re.split(r", ", text)}

    assert {piece for piece in pieces if fold(piece) not in read} == set()


def test_ideogram_has_boxes_texts_and_colors_of_its_own() -> None:
    prompt = FOXES + " in #c04020 and #C04020"

    caption = json.loads(prompt_for("ideogram-4", FOX_SCENE, prompt))

    assert list(caption["style_description"]) == [
        *("aesthetics", "lighting", "photo", "medium", "color_palette")
    ]
    assert caption["style_description"]["color_palette"] == ["#C04020"]
    foxes, sign, text = caption["compositional_deconstruction"]["elements"]
    assert (foxes["bbox"], sign["bbox"]) == ([400, 50, 900, 450], [300, 550, 850, 900])
    assert (text["type"], text["text"], "bbox" in text) == ("text", "OPEN", False)


def test_a_drawn_picture_is_no_photograph() -> None:
    drawn = json.loads(prompt_for("ideogram-4", {**FOX_SCENE, "style": "watercolor"}))
    logo = json.loads(prompt_for("ideogram-4", {"summary": "a fox logo", "light": "flat"}))

    assert list(drawn["style_description"])[2:] == ["medium", "art_style"]
    assert drawn["style_description"]["medium"] == "watercolor"
    assert logo["style_description"]["medium"] == "as described"


def test_fibo_counts_and_colors_things_by_their_words() -> None:
    scene = {"things": ["three red apples", "a woman with blue eyes"]}

    apples, woman = json.loads(prompt_for("fibo", scene))["objects"]

    assert (apples["number_of_objects"], apples["shape_and_color"]) == (3, "red")
    assert (woman["number_of_objects"], woman["shape_and_color"]) == (None, "as described")


def test_one_thing_is_named_without_its_number() -> None:
    own = rendered_own(task_of("a fox on the ice beside three red apples", target_model="fibo"))

    named = [one["description"] for one in json.loads(own)["objects"]]
    assert named == ["fox", "ice", "3 red apples"]


# --- flags and tags ---


def test_midjourney_has_its_flags_last() -> None:
    prompt = f"{FOXES} --ar 16:9 --stylize 250"

    made = prompt_for("midjourney", FOX_SCENE, prompt)

    assert made.startswith("two red foxes standing in the snow, thick winter fur,")
    assert made.endswith(", quiet --ar 16:9 --stylize 250 --no people")
    assert "no people," not in made


def test_a_text_is_put_in_front_of_midjourneys_flags() -> None:
    task = task_of("a cat on a sofa --no text, people", target_model="midjourney")

    made = rendered_text(task, "a cat on a sofa --no text, people, soft window light").prompt

    assert made.startswith("a cat on a sofa")
    assert made.partition(" --no ")[2] == "text, people"


def test_tags_have_the_things_first_and_the_style_behind_them() -> None:
    made = prompt_for("sdxl", {**FOX_SCENE, "style": "watercolor"})

    tags = made.split(", ")
    assert tags[0] == "two red foxes standing in the snow"
    assert "watercolor" in tags[-2:]
    assert "." not in made


# --- times ---

SECTIONS = {
    "veo": ["[00:00-00:02] The cat", "[00:02-00:04] It crouches.", "[00:04-00:06] It jumps"],
    "kling": ["0-2s: The cat", "2-4s: It crouches.", "4-6s: It jumps after the fly."],
    "minimax-h3": ["From 00:00.000 to 00:02.000: The cat", "From 00:04.000 to 00:06.000: It jumps"],
}


@pytest.mark.parametrize("target", sorted(SECTIONS))
def test_a_video_has_its_beats_at_their_times(target: str) -> None:
    made = prompt_for(target, CAT_SCENE, CAT, duration_seconds=6)

    at = [made.index(section) for section in SECTIONS[target]]
    assert at == sorted(at)
    assert made.count("It crouches.") == 1


def test_h3_has_its_three_fields_and_a_single_shot() -> None:
    made = prompt_for("minimax-h3", CAT_SCENE, CAT)

    fields = re.findall(r"^([a-z_]+):$", made, re.MULTILINE)
    assert fields == [
        "integrated_multimodal_description",
        "overall_soundscape",
        "non_diegetic_music",
    ]
    assert made.count("[Shot ") == 1
    assert made.endswith("overall_soundscape:\nA faint buzz.\n\nnon_diegetic_music:\nN/A")


def test_times_are_those_of_the_target_where_none_is_given() -> None:
    made = {target: prompt_for(target, CAT_SCENE, CAT) for target in ("veo", "kling")}

    assert "-00:08] It jumps" in made["veo"]
    assert "-5s: It jumps" in made["kling"]


def test_beats_that_have_no_second_of_their_own_are_told_together() -> None:
    made = prompt_for("veo", CAT_SCENE, CAT, duration_seconds=2)

    assert made.endswith("[00:01-00:02] It crouches, then it jumps after the fly.")


def test_chinese_is_written_with_its_marks() -> None:
    scene = {"summary": "一只白猫跳起来", "beats": ["白猫蹲下", "白猫跳起"], "light": "柔和的光"}

    made = prompt_for("kling", scene, "一只白猫跳起来", duration_seconds=4)

    assert made == "一只白猫跳起来。柔和的光。\n0-2秒：白猫蹲下。\n2-4秒：白猫跳起。"


# --- plans ---

NO_PLANS: list[Any] = [
    None,
    [],
    "a fox",
    {},
    {"things": []},
    {"summary": 3},
    {"things": [{"x": 1}]},
]


def test_what_is_no_plan_is_none() -> None:
    assert [document for document in NO_PLANS if plan_of(document) is not None] == []


def test_a_plan_leaves_out_what_is_not_of_its_form() -> None:
    boxes = [[0, 0, 0, 50], [0, 0, 101, 50], ["0", 0, 5, 5], [0, 0, float("nan"), 5], [1, 2, 3], 7]
    scene = {
        "summary": "a fox.",
        "things": [{"what": "a fox", "box": box, "look": 5} for box in boxes],
        "texts": [{"text": ""}, {"text": "“OPEN”"}, {"look": "large"}],
        "beats": ["it runs", None, "x" * 601],
    }

    plan = plan_in(scene)

    assert plan.summary == "a fox"
    assert {(thing.box, thing.look) for thing in plan.things} == {(None, "")}
    assert [text.text for text in plan.texts] == ["OPEN"]
    assert plan.beats == ("it runs",)
