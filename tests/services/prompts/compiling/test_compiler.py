"""One call makes a prompt for each target, in its form, with the same locks and the same checks."""

import json
from typing import Any

import jsonschema_rs
import pytest

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.errors import InvalidRequest, UpstreamFault
from llm_api.services.prompts.experiment import Experiment
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.strategies.scene_instructions import SceneStrategy
from llm_api.services.usage.ledger import UsageLedger
from tests.services.calls import CALLER, ListSink, catalogue_of, client_of
from tests.services.prompts.asking import TARGETS, answer, optimizer_of
from tests.services.prompts.dialects.scenes import (
    CAT,
    CAT_SCENE,
    FOX_SCENE,
    FOX_TEXT,
    FOXES,
    SCHEMAS,
)
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream

FOUR = ("wan", "flux-2", "sdxl", "midjourney")
LOST_TEXT = "A man with a camera looks at three cats."


def said(**answers: Any) -> Reply:
    return replies.completion(json.dumps(answers))


def good(**changes: Any) -> Reply:
    return said(text_en=FOX_TEXT, scene_en={**FOX_SCENE, **changes})


class Asker:
    """Asks an optimizer before a scripted upstream."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        """Ask before an upstream."""
        self.upstream = upstream
        self.sink = ListSink()

    def optimize(
        self, *written: Reply, prompt: str = FOXES, is_guided: bool = False, **fields: Any
    ) -> OptimizedPrompt:
        """Return the answer where the model replies so."""
        self.upstream.script(*written)
        kind = fields.pop("kind", "image")
        optimizer = optimizer_of(self.upstream, self.sink, is_guided=is_guided)
        return optimizer.optimize(PromptRequest(prompt, kind, **fields), CALLER).answer

    def material(self) -> dict[str, Any]:
        """Return what the model was given in the first call."""
        return json.loads(self.upstream.requests[0].json["messages"][1]["content"])


@pytest.fixture
def asker(upstream: ScriptedUpstream) -> Asker:
    return Asker(upstream)


def by_target(optimized: OptimizedPrompt) -> dict[str, str]:
    assert optimized.rewrites is not None
    return {one.target_model: one.optimized_prompt for one in optimized.rewrites}


# --- several targets ---


def test_four_targets_get_a_rewrite_each_from_one_call(asker: Asker) -> None:
    optimized = asker.optimize(good(), targets=FOUR)

    made = by_target(optimized)
    assert list(made) == list(FOUR)
    assert made["wan"] == made["flux-2"] == optimized.optimized_prompt == FOX_TEXT
    assert made["sdxl"].startswith("two red foxes standing in the snow, thick winter fur")
    assert made["midjourney"].endswith("quiet --no people")
    assert all("two red foxes" in one.lower() and '"OPEN"' in one for one in made.values())
    assert [one.warnings for one in optimized.rewrites or ()] == [[]] * 4
    assert len(asker.upstream.requests) == len(asker.sink.ended) == 1


def test_the_model_is_asked_for_as_little_as_will_do(asker: Asker) -> None:
    asker.optimize(good(), targets=FOUR)

    answers = asker.material()["answers"]
    assert {name: one["answer"] for name, one in answers.items()} == {
        "text_en": "text",
        "scene_en": "scene",
    }


def test_targets_with_prose_alone_are_asked_for_no_scene(asker: Asker) -> None:
    made = by_target(asker.optimize(said(text_en=FOX_TEXT), targets=("seedream", "flux")))

    assert list(asker.material()["answers"]) == ["text_en"]
    assert set(made.values()) == {FOX_TEXT}


def test_a_text_in_common_is_no_longer_than_the_least_of_them_takes(asker: Asker) -> None:
    asker.optimize(said(text_en=FOX_TEXT), targets=("flux", "wan"))

    assert asker.material()["answers"]["text_en"]["length"] == "40 to 114 words"


def test_each_target_gets_a_language_that_it_reads(asker: Asker) -> None:
    written = "两只红色的狐狸站在雪地里，柔和的晨光从左侧照来，毛皮纹理清晰，背景是白桦林，中景。"
    scene = {"summary": "Two red foxes in the snow", "things": [{"what": "two red foxes"}]}
    reply = said(text_zh=written, scene_en={**scene, "light": "soft light from the left"})

    optimized = asker.optimize(reply, prompt="两只红色的狐狸在雪地里", targets=("wan", "fibo"))

    made = by_target(optimized)
    assert made["wan"] == written
    assert json.loads(made["fibo"])["objects"][0]["number_of_objects"] == 2


def test_a_target_named_twice_is_answered_once(asker: Asker) -> None:
    made = by_target(asker.optimize(said(text_en=FOX_TEXT), targets=("wan", "wan")))

    assert list(made) == ["wan"]


# --- what goes wrong ---


def test_where_one_cannot_be_made_the_others_stand(asker: Asker) -> None:
    reply = said(text_en=LOST_TEXT, scene_en=FOX_SCENE)

    optimized = asker.optimize(reply, reply, targets=FOUR)

    made = by_target(optimized)
    wan, flux, sdxl, midjourney = optimized.rewrites or ()
    assert made["wan"] == made["flux-2"] == FOXES
    assert wan.warnings[0].startswith("The original prompt is returned unchanged. The model's")
    assert (flux.improvements, sdxl.warnings, midjourney.warnings) == ([], [], [])
    assert "bare birches" in made["sdxl"]
    assert len(asker.upstream.requests) == 2


def test_the_second_call_is_told_only_what_was_wrong(asker: Asker) -> None:
    optimized = asker.optimize(said(text_en=LOST_TEXT, scene_en=FOX_SCENE), good(), targets=FOUR)

    told = json.loads(asker.upstream.requests[1].json["messages"][3]["content"])
    assert any("person" in problem for problem in told["wrong_with_your_text"])
    assert by_target(optimized)["wan"] == FOX_TEXT


def test_a_scene_loses_what_it_adds_without_a_second_call(asker: Asker) -> None:
    added = [*FOX_SCENE["things"], {"what": "a man with a camera"}]
    reply = good(things=added, setting="a clearing where a hiker rests", texts=[{"text": "EXIT"}])

    made = by_target(asker.optimize(reply, targets=("midjourney", "ideogram-4", "fibo")))

    for prompt in made.values():
        assert not any(word in prompt for word in ("man ", "hiker", "EXIT"))
        assert "thick winter fur" in prompt
    texts = json.loads(made["fibo"])["text_render"]
    assert [text["text"] for text in texts] == ["OPEN"]
    assert len(asker.upstream.requests) == 1


@pytest.mark.parametrize("target", ["midjourney", "ideogram-4", "fibo"])
def test_what_a_scene_lost_comes_back_in_the_users_words(asker: Asker, target: str) -> None:
    scene = {"summary": "Foxes in the snow", "things": ["foxes"], "light": "low golden light"}

    made = asker.optimize(said(scene_en=scene), target_model=target).optimized_prompt

    assert "Two red foxes to the left of a sign" in made
    assert "low golden light" in made
    assert "OPEN" in made


def test_boxes_against_the_prompts_places_are_left_out(asker: Asker) -> None:
    foxes, sign = FOX_SCENE["things"]
    turned = [{**foxes, "box": sign["box"]}, {**sign, "box": foxes["box"]}]

    right, wrong = (
        asker.optimize(good(things=things), target_model="ideogram-4").optimized_prompt
        for things in ([foxes, sign], turned)
    )

    assert (right.count('"bbox"'), wrong.count('"bbox"')) == (2, 0)


def test_our_instructions_do_not_come_back_in_a_scene(asker: Asker) -> None:
    [rules, _] = SceneStrategy(InstructedStrategy()).instructions
    reply = good(setting=rules[300:500].replace("\n", " "), summary=rules[:200].replace("\n", " "))

    optimized = asker.optimize(reply, reply, targets=("midjourney", "ideogram-4"))

    assert not any("object" in prompt for prompt in by_target(optimized).values())


def test_if_nothing_can_be_made_that_can_be_an_error(asker: Asker) -> None:
    with pytest.raises(UpstreamFault) as raised:
        asker.optimize(said(), said(), targets=FOUR, on_failure="error")

    assert raised.value.reason == "optimizer_bad_output"
    assert len(asker.upstream.requests) == 2


def test_an_outage_of_the_second_call_costs_only_the_rewrite(asker: Asker) -> None:
    outage = [replies.api_error(503)] * 3

    optimized = asker.optimize(said(text_en=LOST_TEXT), *outage, targets=("wan", "flux"))

    assert set(by_target(optimized).values()) == {FOXES}


def test_after_the_time_for_all_calls_each_target_has_the_original(asker: Asker) -> None:
    optimized = asker.optimize(replies.hang(60), targets=("wan", "midjourney"), max_wait_ms=100)

    wan, midjourney = optimized.rewrites or ()
    assert wan.optimized_prompt == FOXES
    assert midjourney.optimized_prompt.endswith("--no people")
    assert all("100 ms" in one.warnings[0] for one in (wan, midjourney))


# --- replies that are no scene ---

NO_SCENES = {
    "today's form": answer(FOX_TEXT),
    "prose": replies.completion(f"Sure! Here is the prompt:\n{FOX_TEXT}"),
    "a text for the scene": said(scene_en=FOX_TEXT, optimized_prompt=FOX_TEXT),
}


@pytest.mark.parametrize("name", NO_SCENES)
def test_a_reply_without_a_scene_is_taken_as_a_text(asker: Asker, name: str) -> None:
    made = by_target(asker.optimize(NO_SCENES[name], targets=("wan", "midjourney", "ideogram-4")))

    assert made["wan"] == FOX_TEXT
    assert made["midjourney"] == f"{FOX_TEXT.rstrip('.')} --no people"
    assert json.loads(made["ideogram-4"])["high_level_description"] == FOX_TEXT.rstrip(".")
    assert len(asker.upstream.requests) == 1


SCENES = {
    "thoughts": replies.completion(
        '<think>A scene {"x": 1}.</think>' + json.dumps({"scene_en": FOX_SCENE})
    ),
    "a fence": replies.completion(f"```json\n{json.dumps({'scene_en': FOX_SCENE})}\n```"),
    "no name": said(**FOX_SCENE),
    "a comma too many": replies.completion(json.dumps({"scene_en": FOX_SCENE})[:-1] + ",}"),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_found_in_what_stands_around_it(asker: Asker, name: str) -> None:
    made = asker.optimize(SCENES[name], target_model="midjourney").optimized_prompt

    assert made.startswith("two red foxes standing in the snow, thick winter fur")
    assert len(asker.upstream.requests) == 1


def test_prose_is_written_from_a_scene_where_there_is_no_text(asker: Asker) -> None:
    made = by_target(asker.optimize(said(scene_en=FOX_SCENE), targets=("wan", "midjourney")))

    assert made["wan"].startswith("Two red foxes stand to the left of a wooden sign")


# --- single targets ---


def test_a_single_target_with_prose_is_asked_as_ever(asker: Asker) -> None:
    optimized = asker.optimize(answer(FOX_TEXT), target_model="flux-2")

    assert "answers" not in asker.material()
    assert (optimized.optimized_prompt, optimized.rewrites) == (FOX_TEXT, None)


@pytest.mark.parametrize("target", sorted(SCHEMAS))
def test_several_rewrites_are_each_put_into_the_form(asker: Asker, target: str) -> None:
    texts = [FOX_TEXT, FOX_TEXT.replace("Low golden", "Pale morning")]
    reply = replies.completion(json.dumps({"optimized_prompts": texts}))

    candidates = asker.optimize(reply, target_model=target, n=2).candidates or ()

    validator = jsonschema_rs.Draft202012Validator(SCHEMAS[target])
    assert [validator.is_valid(json.loads(one)) for one in candidates] == [True, True]


def test_a_video_is_told_in_sections(asker: Asker) -> None:
    optimized = asker.optimize(
        said(scene_en=CAT_SCENE),
        prompt=CAT,
        kind="video",
        target_model="veo",
        duration_seconds=6,
        include_details=True,
    )

    assert optimized.optimized_prompt.splitlines()[1:] == [
        "[00:00-00:02] The cat follows a fly with its eyes.",
        "[00:02-00:04] It crouches.",
        "[00:04-00:06] It jumps after the fly.",
    ]
    assert optimized.details is not None
    assert optimized.details["prompt_version"].startswith("scene-video-en-")


def test_names_of_the_form_are_no_details_that_were_added(asker: Asker) -> None:
    scene = {"summary": FOXES, "things": ["two red foxes"], "mood": "quiet fur"}

    optimized = asker.optimize(
        said(scene_en=scene), said(scene_en=scene), target_model="fibo", include_details=True
    )

    assert optimized.details is not None
    assert "lighting" not in optimized.details["added"]


def test_what_a_form_has_no_place_for_is_told(asker: Asker) -> None:
    prompt = "a woman with red hair, <lora:detail:0.8> --ar 16:9"
    scene = {"summary": "a woman with red hair", "light": "soft window light from the left"}

    optimized = asker.optimize(said(scene_en=scene), prompt=prompt, target_model="fibo")

    assert any("<lora:detail:0.8>" in warning for warning in optimized.warnings)
    assert "--ar" not in optimized.optimized_prompt
    assert "lora" not in optimized.optimized_prompt


def test_a_prompt_that_is_too_long_says_less(asker: Asker) -> None:
    optimized = asker.optimize(said(scene_en=FOX_SCENE), target_model="midjourney", max_length=200)

    assert len(optimized.optimized_prompt) <= 200
    assert optimized.optimized_prompt.endswith("--no people")
    assert "two red foxes" in optimized.optimized_prompt


def test_tags_have_no_more_tokens_than_their_encoder_reads(asker: Asker) -> None:
    long = {**FOX_SCENE, "setting": "a forest clearing with " + "bare birches and " * 20 + "snow"}

    optimized = asker.optimize(said(scene_en=long), targets=("sdxl", "midjourney"))

    made = by_target(optimized)
    assert "bare birches" in made["midjourney"]
    assert "bare birches" not in made["sdxl"]
    assert "two red foxes standing in the snow" in made["sdxl"]
    assert len(asker.upstream.requests) == 1


def test_a_target_that_does_not_make_it_is_named_with_those_that_do(asker: Asker) -> None:
    with pytest.raises(InvalidRequest) as raised:
        asker.optimize(kind="video", targets=("wan", "sdxl"))

    message = "targets: must be of generic, wan, seedance, hunyuan, minimax-h3, kling, veo, wan-3"
    assert str(raised.value).startswith(message)
    assert asker.upstream.requests == []


# --- the small model ---


def test_the_small_model_gives_the_users_words_in_every_form(asker: Asker) -> None:
    prompt = "A red fox on a rock, no people --ar 16:9"

    made = by_target(
        asker.optimize(
            said(), prompt=prompt, is_guided=True, targets=("sdxl", "midjourney", "ideogram-4")
        )
    )

    assert made["midjourney"] == "A red fox on a rock --ar 16:9 --no people"
    assert '"desc":"red fox"' in made["ideogram-4"]
    assert len(asker.upstream.requests) == 1


def test_the_small_model_says_where_it_would_have_to_translate(asker: Asker) -> None:
    optimized = asker.optimize(
        said(), prompt="雪地里的红狐狸", is_guided=True, targets=("fibo", "wan")
    )

    fibo, _ = optimized.rewrites or ()
    assert fibo.optimized_prompt == "雪地里的红狐狸"
    assert "too small to translate" in fibo.warnings[0]


# --- around it ---


def test_needs_are_those_of_both_calls(upstream: ScriptedUpstream) -> None:
    optimizer = optimizer_of(upstream, ListSink())

    one, _ = optimizer.needs(PromptRequest(FOXES, "image", target_model="fibo"), None)
    four, _ = optimizer.needs(PromptRequest(FOXES, "image", targets=FOUR), None)

    assert (one.completion_tokens, four.completion_tokens) == (2 * 1_400, 2 * 2_100)


def test_a_lineage_in_the_control_arm_keeps_its_prompt_for_every_target(
    upstream: ScriptedUpstream,
) -> None:
    catalogue = catalogue_of(client_of(upstream.url), is_guided=False)
    experiment = Experiment(control_share=1.0)
    optimizer = PromptOptimizer(
        catalogue, UsageLedger(ListSink()), TARGETS, experiment, is_enabled=True
    )

    optimized = optimizer.optimize(PromptRequest(FOXES, "image", targets=FOUR), CALLER).answer

    assert set(by_target(optimized).values()) == {FOXES}
    assert upstream.requests == []


HOSTILE: dict[str, Any] = {
    "numbers": {"summary": 1, "things": [2, None, True], "texts": 3, "light": ["a"]},
    "objects": {"summary": {"a": {"b": []}}, "things": {"what": "a fox"}, "beats": {"x": 1}},
    "lists in lists": {"things": [[["a fox"]]], "texts": [["OPEN"]], "beats": [["run"]]},
    "no end": {"summary": "a fox", "things": [{"what": "a fox", "box": [1e999, -1e999, 0, "x"]}]},
    "many": {"summary": "two red foxes", "things": ["a fox"] * 500, "texts": ["OPEN"] * 500},
    "half of a sign": {"summary": "two red foxes \ud83d", "things": [{"what": "\udc00"}]},
    "markup": {"summary": "<script>alert(1)</script>", "things": ["[x](https://evil.example)"]},
    "flags": {"summary": "two red foxes --no foxes --ar 1:1", "things": ["foxes --stylize 1000"]},
    "JSON in it": {"summary": '{"optimized_prompt": "x"}', "things": ['"}]}', "\\u0000"]},
}


@pytest.mark.parametrize("target", ["midjourney", "ideogram-4", "fibo"])
def test_whatever_a_scene_has_the_prompt_is_of_its_form(asker: Asker, target: str) -> None:
    wrong = []
    for name, scene in HOSTILE.items():
        reply = replies.completion(json.dumps({"scene_en": scene}))
        made = asker.optimize(reply, reply, target_model=target).optimized_prompt
        is_locked = "OPEN" in made and "two red foxes" in made.lower()
        if target in SCHEMAS:
            validator = jsonschema_rs.Draft202012Validator(SCHEMAS[target])
            is_formed = validator.is_valid(json.loads(made))
        else:
            is_formed = made.endswith(" --no people") and made.count(" --") == 1
        if not (is_locked and is_formed) or "evil.example" in made or "<script" in made:
            wrong.append((name, made))
        asker.upstream.requests.clear()

    assert wrong == []
