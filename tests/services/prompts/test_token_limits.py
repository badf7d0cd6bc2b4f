"""A rewrite is no longer than its target's encoder reads, and what was asked for comes first."""

from typing import Any

import pytest

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import TARGETS, answer, optimizer_of, task_of
from tests.support.upstream import ScriptedUpstream

TAGS = (
    "a cat on a wooden chair, soft window light from the left, shallow depth of field, detailed"
    " fur texture, warm muted tones"
)
MORE = ", ".join(
    f"{how} {what}"
    for how in ("soft", "warm", "dim", "bright", "hazy")
    for what in ("window light", "muted tones", "paper texture", "shadow")
)


def rewritten(
    upstream: ScriptedUpstream, prompt: str, *written: str, **fields: Any
) -> OptimizedPrompt:
    upstream.script(*map(answer, written))
    request = PromptRequest(prompt, "image", include_details=True, **fields)
    return optimizer_of(upstream, ListSink()).optimize(request, CALLER).answer


def tokens_of(optimized: OptimizedPrompt) -> dict[str, Any]:
    assert optimized.details is not None
    return optimized.details["tokens"]


def test_additions_behind_the_cut_are_left_out(upstream: ScriptedUpstream) -> None:
    optimized = rewritten(upstream, "a cat on a chair", f"{TAGS}, {MORE}", target_model="sdxl")

    text, tokens = optimized.optimized_prompt, tokens_of(optimized)
    assert text.startswith(TAGS)
    assert 65 <= tokens["count"] <= tokens["limit"] == 77
    assert (tokens["exact"], optimized.warnings, len(upstream.requests)) == (True, [], 1)


def test_what_was_asked_for_is_not_cut_though_it_stands_last(upstream: ScriptedUpstream) -> None:
    prompt = "a cat on a chair, a red lamp"

    optimized = rewritten(upstream, prompt, f"{TAGS}, {MORE}, a red lamp", target_model="sdxl")

    assert optimized.optimized_prompt.endswith(", a red lamp")
    assert tokens_of(optimized)["count"] <= 77


def test_sentences_are_cut_as_a_whole(upstream: ScriptedUpstream) -> None:
    first = f"{TAGS[:1].upper()}{TAGS[1:]}."
    long = f"{first} {'Golden dust drifts through the calm air of the room. ' * 6}".strip()

    optimized = rewritten(upstream, "a cat on a chair", long, max_tokens=90)

    assert optimized.optimized_prompt.startswith(first)
    assert optimized.optimized_prompt.endswith("air of the room.")
    assert tokens_of(optimized)["limit"] == 90 >= tokens_of(optimized)["count"]


def test_the_smaller_of_both_limits_holds() -> None:
    limits = [
        task_of("a cat", target_model=target, max_tokens=asked).tokens.limit
        for target, asked in [("sdxl", 60), ("sdxl", 500), ("generic", 60), ("generic", None)]
    ]

    assert limits == [60, 77, 60, None]


def test_the_model_is_told_how_long_it_may_write(upstream: ScriptedUpstream) -> None:
    rewritten(upstream, "a cat on a chair", TAGS, target_model="sdxl")

    assert "30 to 46 words" in upstream.requests[0].json["messages"][1]["content"]


def test_a_prompt_that_is_too_long_itself_is_not_made_longer(upstream: ScriptedUpstream) -> None:
    prompt = f"a cat on a chair, {MORE}"

    optimized = rewritten(upstream, prompt, f"{prompt}, {TAGS}", target_model="sdxl")

    own = tokens_of(optimized)["count"]
    [warning] = optimized.warnings
    assert optimized.optimized_prompt == prompt
    assert f"{own} tokens, {own - 77} more than the 77 that sdxl may have" in warning


def test_a_rewrite_that_says_the_same_in_fewer_tokens_is_better(upstream: ScriptedUpstream) -> None:
    prompt = f"a cat on a chair, {MORE}"

    optimized = rewritten(upstream, prompt, TAGS, target_model="sdxl")

    assert optimized.optimized_prompt == TAGS
    assert optimized.warnings[0].endswith("The rewrite is short enough.")


COUNTED = {
    # What the program in front of CLIP takes out is not counted: weights, tags, and flags.
    "weights": ("sdxl", "a cat, (green eyes:1.4), <lora:x:0.8>", "a cat, green eyes"),
    "no weights": ("flux", "a cat (sitting) by a pond", "a cat (sitting) by a pond"),
    "flags": ("seedance", "a cat runs --ratio 16:9", "a cat runs"),
}


@pytest.mark.parametrize("case", COUNTED)
def test_what_programs_take_out_is_not_counted(case: str) -> None:
    target, text, read = COUNTED[case]
    tokens = task_of("a cat", target_model=target).tokens

    assert tokens.count(text).count == tokens.count(read).count


def test_what_programs_put_in_is_not_counted_exactly() -> None:
    tokens = task_of("a cat", target_model="sdxl").tokens

    assert tokens.count("a green cat").is_exact
    assert not tokens.count("a __color__ cat").is_exact


def test_texts_that_the_encoder_cannot_read_are_named(upstream: ScriptedUpstream) -> None:
    prompt = 'a cat under a sign that says "开业"'

    optimized = rewritten(
        upstream,
        prompt,
        'A cat under a sign that says "开业", soft window light from the left, warm muted tones,'
        " fine texture of the old painted wood, eye-level view.",
        target_model="flux",
    )

    assert optimized.warnings == ['flux\'s text encoder cannot read "开业".']


def test_every_target_s_encoder_counts() -> None:
    exact = {name for name in TARGETS if task_of("a", target_model=name).tokens.count("a").is_exact}

    assert exact == {name for name, target in TARGETS.items() if target.encoder is not None}
