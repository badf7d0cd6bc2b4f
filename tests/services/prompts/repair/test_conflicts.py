"""Nothing is put beside its contrary, and no text is repaired that is no description."""

from typing import Any

import pytest

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.services.prompts.optimizer import PromptOptimizer
from tests.services.calls import CALLER
from tests.services.prompts.asking import answer
from tests.support.upstream import ScriptedUpstream

LIGHT = "in soft morning light, with warm muted tones and the fine texture of old wood"


def optimize(
    optimizer: PromptOptimizer,
    upstream: ScriptedUpstream,
    prompt: str,
    written: str,
    **fields: Any,
) -> OptimizedPrompt:
    """Send a prompt to a model that always writes the same."""
    upstream.script(*[answer(written)] * 2)
    return optimizer.optimize(PromptRequest(prompt, "image", **fields), CALLER).answer


CONTRARY: dict[str, tuple[str, str]] = {
    "colors changed": ("a red car and a blue hat", f"A blue car and a red hat stand {LIGHT}."),
    "a side": ("a cat to the left of a dog", f"A cat to the right of a dog {LIGHT}."),
    "a side in chinese": ("一只猫在狗的左边", "一只猫在狗的右边，晨光柔和，毛发细节清晰。"),
    "a size of shot": ("a dog, close-up shot", f"A wide shot of a dog {LIGHT}."),
    "an angle": ("a dog, low angle shot", f"A high angle shot of a dog {LIGHT}."),
    "a view": ("a dog, front view", f"Seen from behind, a dog stands {LIGHT}."),
    "a move in a still": ("In a still frame, a dog", f"A dog {LIGHT}. The camera pans left."),
    "a style": ("a dog, pixel art", f"An oil painting of a dog {LIGHT}."),
}


@pytest.mark.parametrize("name", CONTRARY)
def test_what_is_said_otherwise_is_not_put_beside_it(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, name: str
) -> None:
    prompt, written = CONTRARY[name]

    optimized = optimize(optimizer, upstream, prompt, written)

    assert optimized.optimized_prompt == prompt
    assert len(optimized.warnings) == 1


TALK: dict[str, tuple[str, str]] = {
    "a refusal": (
        "a cat",
        (
            "Requests for a cat picture go against the policy of this service, and so nothing can"
            " be made of it at this point in time. Try again with something that does not break the"
            " rules, such as a tree, a landscape or the sea at night in a storm."
        ),
    ),
    "an essay": (
        "a cat",
        (
            "Cats are small carnivorous mammals of the family Felidae. The cat is one of the most"
            " popular pets in the world, and you can keep one at home if you like, because it needs"
            " little space and is easy to train for most of us who love pets."
        ),
    ),
    "thoughts": ("two dogs", f"Two dogs {LIGHT}. I should add a view. A man walks by."),
    "thoughts in chinese": ("一只狗", "一只狗坐着，晨光柔和，色调温暖。我再想想。一个男人走过。"),
    "a question": ("a dog", f"A dog {LIGHT}. What do you think of it? A man walks by."),
    "a report": ("a dog", f"The user wants a dog {LIGHT}."),
    "a report in chinese": ("一只狗", "用户希望看到一只狗，晨光柔和，色调温暖，毛发细节清晰。"),
    "a good in chinese": ("一只狗", "好，一只狗坐着，晨光柔和，色调温暖，毛发细节清晰。"),
    "joy in chinese": ("一只狗", "很高兴为您服务，一只狗坐着，晨光柔和，色调温暖。"),
    "joy": ("a dog", f"I am happy to help! A dog {LIGHT}."),
}


@pytest.mark.parametrize("name", TALK)
def test_talk_is_not_repaired(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, name: str
) -> None:
    prompt, written = TALK[name]

    optimized = optimize(optimizer, upstream, prompt, written)

    assert optimized.optimized_prompt == prompt


def test_a_prompt_that_speaks_of_its_user_may_be_repaired(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream
) -> None:
    written = f"My cat sleeps on a sill {LIGHT}."

    optimized = optimize(optimizer, upstream, "my cat", f"{written} A man walks by.")

    assert optimized.optimized_prompt == written


@pytest.mark.parametrize(("cuts", "expected"), [(200, "A dog"), (201, "a dog")])
def test_a_text_is_repaired_that_can_be_cut_at_up_to_so_many_places(
    optimizer: PromptOptimizer, upstream: ScriptedUpstream, cuts: int, expected: str
) -> None:
    written = f"A dog {LIGHT}" + ", so" * (cuts - 5) + ". A man walks by."

    optimized = optimize(optimizer, upstream, "a dog", written)

    assert optimized.optimized_prompt.startswith(expected)
