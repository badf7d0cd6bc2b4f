"""Flags stay last, and what a target does not understand is named."""

import json
from typing import Any

import pytest

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.services.prompts.enrichment.composition import scenes_of
from llm_api.services.prompts.enrichment.facets import all_facets
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import answer, optimizer_of, task_of
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

DETAILS = (
    "on a wooden chair, soft window light from the left, shallow depth of field, detailed fur"
    " texture, warm muted tones"
)
CAT = f"A cat {DETAILS}."


def rewritten(
    upstream: ScriptedUpstream,
    prompt: str,
    *written: str,
    target: str = "generic",
    kind: str = "image",
    **fields: Any,
) -> OptimizedPrompt:
    upstream.script(*map(answer, written))
    request = PromptRequest(prompt, kind, target_model=target, **fields)
    return optimizer_of(upstream, ListSink()).optimize(request, CALLER).answer


@pytest.mark.parametrize(
    "flags", ["--no text, people", "--ar 16:9 --v 7 --sref https://a.example/b.png", "--no dogs"]
)
def test_flags_stand_behind_everything_that_is_added(
    upstream: ScriptedUpstream, flags: str
) -> None:
    optimized = rewritten(upstream, f"a cat on a chair {flags}", CAT)

    assert (optimized.optimized_prompt, optimized.warnings) == (f"{CAT} {flags}", [])
    assert "--" not in str(upstream.requests[0].json["messages"][1])


def test_flags_that_stand_in_the_middle_are_moved_to_the_end(upstream: ScriptedUpstream) -> None:
    optimized = rewritten(upstream, "a cat --ar 16:9, on a chair --v 7", CAT)

    assert optimized.optimized_prompt == f"{CAT} --ar 16:9 --v 7"


def test_a_small_model_s_phrases_stand_before_the_flags(upstream: ScriptedUpstream) -> None:
    request = PromptRequest("a cat on a sofa --no text, people", "image", n=2)
    facets = all_facets().open_for("image", "a cat on a sofa", scenes_of(task_of(request.prompt)))
    chosen = ", ".join(["a cat on a sofa", *(facet.phrases[0].en for facet in facets)])
    upstream.script(replies.completion(json.dumps({"prompt": chosen})))
    optimizer = optimizer_of(upstream, ListSink(), is_guided=True)

    optimized = optimizer.optimize(request, CALLER).answer

    assert len(optimized.candidates or ()) == 2
    for text in optimized.candidates or ():
        assert text.startswith("a cat on a sofa, ")
        assert text.endswith(" --no text, people")


def test_a_repaired_rewrite_has_its_flags_last(upstream: ScriptedUpstream) -> None:
    written = [CAT.replace("A cat", "An animal"), CAT.replace("A cat", "An animal")]

    optimized = rewritten(upstream, "a cat on a chair --ar 16:9", *written)

    assert optimized.optimized_prompt.startswith("A cat on a chair. ")
    assert optimized.optimized_prompt.endswith(" --ar 16:9")


def test_a_model_s_own_flags_are_left_out(upstream: ScriptedUpstream) -> None:
    optimized = rewritten(upstream, "a cat on a chair --ar 16:9", f"{CAT} --ar 1:1 --v 5")

    assert optimized.optimized_prompt == f"{CAT} --ar 16:9"


def test_what_a_flag_excludes_must_not_be_added(upstream: ScriptedUpstream) -> None:
    with_dog = CAT.replace("A cat", "A cat beside a dog")

    optimized = rewritten(upstream, "a cat on a chair --no dogs", with_dog, CAT, target="wan")

    assert optimized.optimized_prompt == CAT
    material = json.loads(upstream.requests[0].json["messages"][1]["content"])
    assert material["unwanted"] == ["dogs"]


EXCLUDED = {
    "asked for": ("wan", True, "text, blurry background", []),
    "not asked for": ("wan", False, None, ["include_negative_prompt returns"]),
    "not taken": ("flux", False, None, ["nor negative prompts"]),
    "as a flag": ("generic", True, "text, blurry background", []),
}


@pytest.mark.parametrize("case", EXCLUDED)
def test_what_a_flag_excludes_becomes_the_negative_prompt(
    upstream: ScriptedUpstream, case: str
) -> None:
    target, is_asked, negative, warned = EXCLUDED[case]
    prompt = "a cat on a chair --no text, blurry background"

    optimized = rewritten(upstream, prompt, CAT, target=target, include_negative_prompt=is_asked)

    assert optimized.negative_prompt == negative
    assert len(optimized.warnings) == len(warned)
    assert all(words in text for words, text in zip(warned, optimized.warnings, strict=True))


def test_a_warning_names_what_the_target_does_not_understand(upstream: ScriptedUpstream) -> None:
    prompt = "a cat on a chair, (soft light:1.3), <lora:x:1> --ar 16:9"

    optimized = rewritten(upstream, prompt, CAT.replace("soft", "soft light, soft"), target="wan")

    assert optimized.warnings == [
        'wan does not understand flags: "--ar 16:9" was left out.',
        'wan does not understand weights: "(soft light:1.3)" became "soft light".',
        'wan does not understand tags that load a LoRA: "<lora:x:1>" was left out.',
    ]
    assert "1.3" not in optimized.optimized_prompt


def test_the_original_comes_back_as_it_was_with_the_same_names(upstream: ScriptedUpstream) -> None:
    prompt = "a cat on a chair --ar 16:9"

    optimized = rewritten(upstream, prompt, "OK", "OK", target="wan")

    assert optimized.optimized_prompt == prompt
    assert optimized.warnings[1] == 'wan does not understand flags: "--ar 16:9".'


def test_seedance_gets_the_ratio_by_its_own_name(upstream: ScriptedUpstream) -> None:
    prompt = "a cat on a chair --ar 16:9"
    moving = f"{CAT} Static medium shot."
    optimized = rewritten(upstream, prompt, moving, target="seedance", kind="video")

    assert (optimized.optimized_prompt, optimized.warnings) == (f"{moving} --ratio 16:9", [])


def test_details_name_the_flags(upstream: ScriptedUpstream) -> None:
    optimized = rewritten(upstream, "a cat on a chair --ar 16:9", CAT, include_details=True)

    assert optimized.details is not None
    assert optimized.details["kept"]["flags"] == ("--ar 16:9",)


def test_flags_count_to_the_length() -> None:
    with_flags = task_of("a cat --ar 16:9", max_length=100)

    assert with_flags.wanted.max_length == 100 - len(" --ar 16:9")


def test_nothing_is_loaded_twice(upstream: ScriptedUpstream) -> None:
    written = [f"An animal {DETAILS}"] * 2
    prompt = "a cat on a chair, (green eyes:1.3), <lora:x:1>"

    optimized = rewritten(upstream, prompt, *written, target="sdxl")

    assert optimized.optimized_prompt.count("<lora:x:1>") == 1


def test_what_stood_behind_a_flag_is_not_claimed_to_be_added(upstream: ScriptedUpstream) -> None:
    prompt = "a cat on a sofa --no text, people"

    optimized = rewritten(
        upstream,
        prompt,
        *[f"{prompt}, soft window light, eye-level view, warm muted tones"] * 2,
        target="midjourney",
        include_details=True,
    )

    assert optimized.optimized_prompt == prompt
    assert (list(optimized.improvements), optimized.details["added"]) == ([], [])  # type: ignore[index]
