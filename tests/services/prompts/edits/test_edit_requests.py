"""An edit is rewritten as an edit: what is asked of a model, and what each kind of request gets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.errors import ApiError, Forbidden, InvalidRequest, Unavailable
from llm_api.services.prompts.edits.keeping_words import keeping_words, says_what_stays
from llm_api.services.prompts.keeping.rewrite_names import asked_of
from llm_api.services.prompts.languages.tags import languages
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.routing.catalogue import Destination
from llm_api.services.usage.ledger import UsageLedger
from tests.services.calls import CALLER, ListSink, catalogue_of, client_of
from tests.services.prompts.asking import TARGETS, answer, optimizer_of, task_of
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

CAR = PromptRequest("Change the red car to blue", "edit")
BLUE = "Change the color of the red car to blue. Keep everything else unchanged."
WORDS_ALONE = "The edit was rewritten from its words alone: no vision model (JUDGE_LLM_MODEL) is"
PIXEL = JudgedPicture(b"png", "image/png", 1, 1, b"png")


def optimized(
    upstream: ScriptedUpstream, request: PromptRequest, *texts: str, is_guided: bool = False
) -> OptimizedPrompt:
    """Return the answer to a request whose model writes some texts."""
    upstream.script(*map(answer, texts))
    return optimizer_of(upstream, ListSink(), is_guided=is_guided).optimize(request, CALLER).answer


def test_a_good_rewrite_is_delivered_with_what_it_adds(upstream: ScriptedUpstream) -> None:
    answered = optimized(upstream, CAR, BLUE)

    assert answered.optimized_prompt == BLUE
    assert answered.improvements == ("Named what stays unchanged",)
    assert answered.warnings == []


def test_the_model_is_told_what_is_removed_apart_from_what_is_named() -> None:
    task = task_of("Remove the two dogs from the sofa, no text, image 2 stays", "edit")

    messages = InstructedStrategy().parameters(task)["messages"]
    material = json.loads(messages[1]["content"])

    assert material["instruction"] == task.prompt
    assert material["removed"] == ["dog"]
    assert "dog" not in material["named"].get("objects", [])
    assert material["named"]["pictures"] == ["image 2"]
    assert messages[0]["content"].startswith("You put a person's wish to change a picture")


def test_details_do_not_keep_what_is_removed(upstream: ScriptedUpstream) -> None:
    request = replace(CAR, prompt="Remove the dog from the sofa", include_details=True)

    answered = optimized(upstream, request, "Remove the dog from the sofa.")

    assert answered.details is not None
    assert answered.details["kept"] == {"objects": ("couch",), "removed": ("dog",)}
    assert answered.details["repaired"] == ["keep_added"]
    assert answered.details["added"] == []


def test_a_drift_is_asked_for_again_and_then_the_edit_stays_as_it_was(
    upstream: ScriptedUpstream,
) -> None:
    green = "Change the red car to green. Keep everything else unchanged."

    answered = optimized(upstream, CAR, green, green)

    assert answered.optimized_prompt == CAR.prompt
    assert "lost the color" in answered.warnings[0]
    demand = json.loads(upstream.requests[1].json["messages"][-1]["content"])
    assert any("green" in problem for problem in demand["wrong_with_your_text"])


def test_pictures_that_no_model_sees_are_a_warning(upstream: ScriptedUpstream) -> None:
    answered = optimized(upstream, replace(CAR, pictures=(PIXEL,)), BLUE)

    assert answered.optimized_prompt == BLUE
    assert answered.warnings[0].startswith(WORDS_ALONE)
    assert isinstance(upstream.requests[0].json["messages"][1]["content"], str)


@dataclass(frozen=True)
class Seer:
    """A vision model at a destination; `problem` is what routing to it raises."""

    at: Destination
    problem: ApiError | None = None
    unseen_why: str | None = None

    def route(self, model: str | None, key: ApiKey | None) -> Destination:
        """See VisionModels."""
        assert (model, key) == (None, None)
        if self.problem is not None:
            raise self.problem
        return self.at

    def part(self, picture: JudgedPicture, detail: str, _: Destination) -> Mapping[str, Any]:
        """See VisionModels."""
        assert (picture, detail) == (PIXEL, "auto")
        return {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}

    def unseen(self, _: object, pictures: Sequence[JudgedPicture], *__: object) -> str | None:
        """See VisionModels."""
        assert list(pictures) == [PIXEL]
        return self.unseen_why


def seeing(upstream: ScriptedUpstream, **fields: Any) -> PromptOptimizer:
    """Optimize with the scripted upstream as the only model, which sees."""
    catalogue = catalogue_of(client_of(upstream.url))
    seer = Seer(catalogue.route(None, key=None), **fields)
    return PromptOptimizer(
        catalogue, UsageLedger(ListSink()), TARGETS, is_enabled=True, vision=seer
    )


SEEN = "Change the red car to blue. Keep the brick house and the man on the bench unchanged."


def test_a_model_that_sees_may_name_what_stays(upstream: ScriptedUpstream) -> None:
    upstream.script(answer(SEEN))

    answered = seeing(upstream).optimize(replace(CAR, pictures=(PIXEL,)), CALLER).answer

    assert (answered.optimized_prompt, answered.warnings) == (SEEN, [])


def test_a_model_that_took_too_few_tokens_to_see_may_not(upstream: ScriptedUpstream) -> None:
    upstream.script(answer(SEEN))
    optimizer = seeing(upstream, unseen_why="too few")

    answered = optimizer.optimize(replace(CAR, pictures=(PIXEL,)), CALLER).answer

    assert (
        answered.optimized_prompt == "Change the red car to blue. Keep everything else unchanged."
    )
    assert "too few tokens to have seen" in answered.warnings[0]


@each("reason", ["judge_not_configured", "model_forbidden"])
def test_without_a_right_to_the_vision_model_words_are_rewritten(
    reason: str, upstream: ScriptedUpstream
) -> None:
    upstream.script(answer(BLUE))
    kind = Forbidden if reason == "model_forbidden" else Unavailable
    optimizer = seeing(upstream, problem=kind("No.", reason=reason))

    answered = optimizer.optimize(replace(CAR, pictures=(PIXEL,)), CALLER).answer

    assert answered.optimized_prompt == BLUE
    assert answered.warnings[0].startswith(WORDS_ALONE)


def test_what_several_targets_get_is_written_by_the_model_that_sees(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script(replies.completion(json.dumps({"text_en": SEEN})))
    request = replace(CAR, pictures=(PIXEL,), targets=("gpt-image", "flux-kontext"))

    answered = seeing(upstream).optimize(request, CALLER).answer

    assert [one.optimized_prompt for one in answered.rewrites or ()] == [SEEN, SEEN]
    assert upstream.requests[0].json["messages"][1]["content"][0]["type"] == "image_url"


def test_the_pictures_are_part_of_what_is_asked() -> None:
    other = replace(PIXEL, original=b"other")
    requests = [CAR, replace(CAR, pictures=(PIXEL,)), replace(CAR, pictures=(other,))]
    requests += [replace(CAR, pictures=(PIXEL, other)), replace(CAR, pictures=(other, PIXEL))]

    assert len({asked_of(request) for request in requests}) == len(requests)
    # What is written anew of the same bytes may differ by a release of the library that does so.
    assert asked_of(requests[1]) == asked_of(replace(CAR, pictures=(replace(PIXEL, data=b"x"),)))


# An edit, and what a small model makes of it: nothing but the user's own words.
OWN_WORDS = [
    ("change the red car to blue", "Change the red car to blue. Keep everything else unchanged."),
    (
        "Could you please remove the dog?",
        "Remove the dog. Keep everything else unchanged.",
    ),
    ("a blue sky", "Edit the picture: a blue sky. Keep everything else unchanged."),
    (
        "blue sofa, and no cushions",
        "Edit the picture: blue sofa, and no cushions. Keep everything else unchanged.",
    ),
    ("Blur it, keep the rest as it is", "Blur it, keep the rest as it is."),
    ("请帮我去掉水印", "去掉水印。其余部分保持不变。"),
    ("蓝色的天空", "按此修改图片：蓝色的天空。其余部分保持不变。"),
    (
        "Entferne das Auto auf der linken Seite",
        "Entferne das Auto auf der linken Seite. Alles andere bleibt unverändert.",
    ),
    (
        "左の猫を消してください",
        "左の猫を消してください。それ以外はすべてそのままにしてください。",
    ),
]


@each(("prompt", "expected"), OWN_WORDS)
def test_a_small_model_adds_only_that_the_rest_stays(
    prompt: str, expected: str, upstream: ScriptedUpstream
) -> None:
    answered = optimized(upstream, replace(CAR, prompt=prompt), is_guided=True)

    assert (answered.optimized_prompt, upstream.requests) == (expected, [])


def test_a_small_model_does_not_translate_an_edit(upstream: ScriptedUpstream) -> None:
    request = replace(CAR, prompt="把车改成蓝色", target_model="flux-kontext")

    answered = optimized(upstream, request, is_guided=True)

    assert answered.optimized_prompt == request.prompt
    assert "too small to translate" in answered.warnings[0]


def test_several_targets_share_one_text(upstream: ScriptedUpstream) -> None:
    targets = ("qwen-image-edit", "flux-kontext", "gpt-image")
    upstream.script(replies.completion(json.dumps({"text_en": BLUE})))

    answered = optimizer_of(upstream, ListSink()).optimize(replace(CAR, targets=targets), CALLER)

    assert answered.answer.rewrites is not None
    assert {one.target_model: one.optimized_prompt for one in answered.answer.rewrites} == (
        dict.fromkeys(targets, BLUE)
    )
    assert len(upstream.requests) == 1


def test_several_rewrites_come_from_one_call(upstream: ScriptedUpstream) -> None:
    other = "Recolor the red car to blue. Leave everything else as it is."
    upstream.script(replies.completion(json.dumps({"optimized_prompts": [BLUE, other]})))

    answered = optimizer_of(upstream, ListSink()).optimize(replace(CAR, n=2), CALLER).answer

    assert answered.candidates == [BLUE, other]


# Fields that make no edit, and what is said of them.
REFUSED = [
    ({"target_model": "sdxl"}, "target_model", "flux-kontext"),
    ({"target_model": "veo"}, "target_model", "qwen-image-edit"),
    ({"targets": ("gpt-image", "fibo")}, "targets", "generic"),
    ({"style": "anime"}, "style", "say it in the prompt"),
    ({"camera": "close-up"}, "camera", "say it in the prompt"),
    ({"duration_seconds": 5}, "duration_seconds", "say it in the prompt"),
    ({"type": "image", "pictures": (PIXEL,)}, "images", "type is image"),
    ({"pictures": (PIXEL,) * 4}, "images", "at most 3"),
]


@each(("fields", "field", "said"), REFUSED)
def test_what_makes_no_edit_is_refused_before_any_call(
    fields: dict[str, object], field: str, said: str, upstream: ScriptedUpstream
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        optimizer_of(upstream, ListSink()).optimize(replace(CAR, **fields), CALLER)  # type: ignore[arg-type]  # cases

    assert refused.value.fields[0].field == field
    assert said in refused.value.message
    assert upstream.requests == []


def written_languages() -> Iterator[str]:
    """Yield languages whose rewrites are to be kept in."""
    yield from (tag for tag in ("en", "zh", *languages()) if keeping_words(tag) is not None)


@each("tag", list(written_languages()))
def test_our_sentences_say_what_stays(tag: str) -> None:
    words = keeping_words(tag)

    assert words is not None
    assert says_what_stays(words.sentence, tag) is True


def test_forty_languages_have_such_a_sentence() -> None:
    assert len(list(written_languages())) >= 40


def test_every_target_for_edits_writes_sentences() -> None:
    editors = [name for name, target in TARGETS.items() if "edit" in target.types]

    assert {"generic", "qwen-image-edit", "flux-kontext", "gpt-image"} <= set(editors)
    assert {TARGETS[name].form for name in editors} == {"prose"}


def test_pictures_that_are_refused_are_named_as_they_were_sent(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.api_error(413), replies.api_error(413))

    with pytest.raises(InvalidRequest) as raised:
        seeing(upstream).optimize(replace(CAR, pictures=(PIXEL,)), CALLER)

    assert [one.field for one in raised.value.fields] == ["images"]


def test_a_prompt_that_is_refused_is_named_as_it_was_sent(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.api_error(413))

    with pytest.raises(InvalidRequest) as raised:
        optimizer_of(upstream, ListSink()).optimize(CAR, CALLER)

    assert [one.field for one in raised.value.fields] == ["prompt"]
