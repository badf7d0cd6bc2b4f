"""Fits prompts: commands are made harmless, negative prompts sent or said in words."""

import re
from collections.abc import Callable

from llm_api.domain.making import Notice
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.fitting.prompt_filters import neutralised
from llm_api.upstream.media.vendor_models import VendorModel

_HAN = re.compile(r"[\u3400-\u9fff]")
_STOP = {True: "。", False: "."}
_ENDINGS = (*".!?…", *"。！？")
_AVOID = {True: "画面中不要出现：{negative}。", False: "The {noun} must not show: {negative}."}


def fitted_prompts(
    prompt: str,
    negative: str | None,
    model: VendorModel,
    leave_out: Callable[[str], list[Notice]],
    *,
    may_be_empty: bool = False,
) -> tuple[str, str | None, list[Notice]]:
    """Return the prompt, the negative prompt to send with it, and what was done to them.

    `leave_out` returns the notice of a field that is not sent, or raises InvalidRequest.
    """
    prompt, notices = neutralised(prompt, model.filters, "prompt")
    if not prompt and not may_be_empty:
        message = "must say what to show, beside commands for the model's server."
        raise InvalidRequest.of_field("prompt", message, reason="out_of_range")
    if negative:
        negative, cut = neutralised(negative, model.filters, "negative_prompt")
        notices += cut
    if negative and "negative_prompt" in model.emulates:
        prompt = _with_sentence(prompt, negative, model.noun)
        message = "This model has no negative prompt; a sentence was added to the prompt."
        notices.append(Notice("negative_prompt", "emulated", message))
        negative = None
    _check_length("prompt", prompt, model.max_prompt)
    if not negative:
        return prompt, None, notices
    if "negative_prompt" not in model.sends:
        notices += leave_out("negative_prompt")
        return prompt, None, notices
    _check_length("negative_prompt", negative, model.max_negative)
    return prompt, negative, notices


def _with_sentence(prompt: str, negative: str, noun: str) -> str:
    """Return a prompt that also says what not to draw, in English or Chinese as the prompt is."""
    is_chinese = _HAN.search(prompt) is not None
    end = "" if prompt.endswith(_ENDINGS) else _STOP[is_chinese]
    between = "" if is_chinese else " "
    said = _AVOID[is_chinese].format(noun=noun, negative=negative.rstrip(" .。"))
    return prompt + end + between + said


def _check_length(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        message = f"must have at most {longest} characters for this model; it has {len(text)}."
        raise InvalidRequest.of_field(field, message, reason="out_of_range")
