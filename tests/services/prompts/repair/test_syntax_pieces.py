"""Prompt syntax that a model lost is put back where that can be done."""

import pytest

from llm_api.domain.prompts import PromptRequest
from llm_api.errors import UpstreamFault
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.repair.syntax_pieces import with_syntax
from tests.services.calls import CALLER
from tests.services.prompts.asking import answer, task_of
from tests.support.replies import completion
from tests.support.upstream import ScriptedUpstream

RESTORED = {
    "tag": ("a cat <lora:x:1>", "A cat, soft light.", "A cat, soft light. <lora:x:1>"),
    "tags": ("<a1:b> cat <lora:x:1>", "A cat", "A cat <lora:x:1>"),
    "weight": ("a cat, (green eyes:1.4)", "A cat with green eyes.", "A cat with (green eyes:1.4)."),
    "changed weight": ("(green eyes:1.4)", "Big (green eyes), lit.", "Big (green eyes:1.4), lit."),
    "plus signs": ("a (red ball)++", "A shiny red ball.", "A shiny (red ball)++."),
    "wildcard": ("a __color__ cat", "A **color** cat, lit.", "A __color__ cat, lit."),
    "choice": ("a {red|green} hat", "A green hat, lit.", "A {red|green} hat, lit."),
    "both options": ("a {red|green} hat", "A red and green hat.", "A red and green hat."),
    "nothing to stand for": ("a __color__ cat", "A tabby cat.", "A tabby cat."),
    "brackets": ("a cat, [blurry], a lake", "A cat by a blurry lake.", "A cat by a [blurry] lake."),
    "escaped": (r"saber \(fate\)", "Saber (fate), lit.", r"Saber \(fate\), lit."),
    "parts": ("hot:: dog", "A hot dog.", "A hot:: dog."),
    "braces": ("{{{gold}}} crown", "A gold crown.", "A {{{gold}}} crown."),
    "upload": ("@image1 as a knight", "The image1 as a knight.", "The @image1 as a knight."),
    "kept": ("a {red|green} hat", "A {red|green} hat, lit.", "A {red|green} hat, lit."),
}


@pytest.mark.parametrize("name", RESTORED)
def test_lost_syntax_is_put_back(name: str) -> None:
    prompt, rewrite, expected = RESTORED[name]

    assert with_syntax(task_of(prompt), rewrite) == expected


DETAILS = (
    "on a wooden chair, soft window light from the left, shallow depth of field, detailed fur"
    " texture, warm muted tones"
)


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        ("a cat on a chair <lora:watercolor_v2:0.8>", f"a cat {DETAILS}"),
        ("a cat on a chair, embedding:easy_v3", f"a cat {DETAILS}"),
        ("a __color__ cat on a chair", f"a __color__ cat {DETAILS}"),
        ("a (fluffy:1.3) cat on a chair", f"a fluffy cat {DETAILS}"),
        ("a cat on a {red|green} chair", f"a cat {DETAILS.replace('wooden', 'red')}"),
    ],
)
@pytest.mark.parametrize("target", ["sdxl", "generic"])
def test_a_rewrite_has_the_syntax_of_its_prompt(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer, prompt: str, reply: str, target: str
) -> None:
    upstream.script(answer(reply))

    optimized = optimizer.optimize(PromptRequest(prompt, "image", target_model=target), CALLER)

    [piece] = task_of(prompt).constraints.syntax
    assert piece.text in optimized.answer.optimized_prompt
    assert (optimized.answer.warnings, len(upstream.requests)) == ([], 1)
    assert "window light" in optimized.answer.optimized_prompt


def test_syntax_that_cannot_be_put_back_is_asked_for_and_named(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    prompt = "a __color__ cat on a chair BREAK a lake"
    upstream.script(*[answer(f"a tabby cat {DETAILS}, a lake")] * 2)

    optimized = optimizer.optimize(PromptRequest(prompt, "image", target_model="sdxl"), CALLER)

    assert "__color__" in optimized.answer.optimized_prompt
    assert "__color__" in str(upstream.requests[1].json["messages"])


@pytest.mark.parametrize("reason", ["length", "insufficient_system_resource", "abort", "cancelled"])
def test_a_text_that_was_interrupted_is_not_used(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer, reason: str
) -> None:
    upstream.script(*[completion(f"A cat {DETAILS}.", finish_reason=reason)] * 2)

    answered = optimizer.optimize(PromptRequest("a cat on a chair", "image"), CALLER).answer

    assert answered.optimized_prompt == "a cat on a chair"
    assert "cut off" in answered.warnings[0]


def test_an_answer_that_ends_with_an_error_has_failed(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    upstream.script(*[completion(f"A cat {DETAILS}.", finish_reason="error")] * 2)

    with pytest.raises(UpstreamFault):
        optimizer.optimize(PromptRequest("a cat on a chair", "image"), CALLER)
