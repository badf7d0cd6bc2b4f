"""Brings a usage that is counted in another way into OpenAI's form, as the vendor's bill counts.

There the completion includes what was reasoned, the prompt what was cached, and the total is their
sum: https://platform.openai.com/docs/api-reference/chat/object. Where the total is more, it tells
what was left out:

- xAI counts reasoning beside the completion: https://docs.x.ai/docs/guides/reasoning
- Gemini's thoughts are in the total alone: https://ai.google.dev/gemini-api/docs/thinking
- Anthropic's input is without what was read from its cache or written to it:
  https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching

Moonshot's `cached_tokens` stands at the top, and DeepSeek's is `prompt_cache_hit_tokens`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_api.domain.calls import TokenUsage

_PROMPT = (
    "prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count",
    "promptTokens", "inputTokens", "PromptTokens", "InputTokens",
)  # fmt: skip
_COMPLETION = (
    "completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count",
    "completionTokens", "outputTokens", "CompletionTokens", "OutputTokens",
)  # fmt: skip
_TOTAL = ("total_tokens", "totalTokenCount", "totalTokens", "TotalTokens")
_OF_PROMPT = ("prompt_tokens_details", "input_tokens_details", "prompt_token_details")
_OF_COMPLETION = ("completion_tokens_details", "output_tokens_details", "completion_token_details")
_CACHED = (
    "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens", "cacheReadInputTokens",
    "cachedContentTokenCount", "num_cached_tokens", "cache_read_tokens", "prompt_cached_tokens",
    "cached_prompt_tokens", "cached_prompt_text_tokens", "cachedTokens",
)  # fmt: skip
_READ = ("cache_read_input_tokens", "cacheReadInputTokens")
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_REASONED = ("reasoning_tokens", "thoughtsTokenCount", "thinking_tokens")
# Names that a usage in OpenAI's form does not have.
OTHER_NAMES = frozenset([*_PROMPT[1:], *_COMPLETION[1:], *_CACHED, *_REASONED, *_OF_PROMPT[1:]])


def in_openai_form(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same usage as OpenAI would count it; a count that is none is left out."""
    prompt, completion = _first(usage, _PROMPT), _first(usage, _COMPLETION)
    total = _first(usage, _TOTAL)
    cached = _part(usage, _OF_PROMPT, _CACHED)
    reasoned = _part(usage, _OF_COMPLETION, _REASONED)
    if prompt is not None and any(name in usage for name in (*_READ, *_WRITTEN)):
        stored = (cached or 0) + (_first(usage, _WRITTEN) or 0)
        # Anthropic's own names, and its own way to count, which relays leave as it is.
        prompt += stored if usage.get("prompt_tokens") is None or stored > prompt else 0
    if completion is None and prompt is not None and total is not None:
        completion = max(total - prompt, 0)
    elif prompt is None and total is not None:
        prompt = max(total - (completion or 0), 0)
    if prompt is not None and completion is not None:
        prompt, completion, reasoned = _completed(prompt, completion, total, cached, reasoned)
    return {
        **usage,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoned},
    }


def _completed(
    prompt: int, completion: int, total: int | None, cached: int | None, reasoned: int | None
) -> tuple[int, int, int | None]:
    """Add what the total has and its parts have not: prompt, completion and reasoning in all."""
    if total is None:
        # A part is never more than the whole.
        is_beside = (reasoned or 0) > completion
        return prompt, completion + (reasoned or 0 if is_beside else 0), reasoned
    missing = total - prompt - completion
    if missing <= 0:
        return prompt, completion, reasoned
    if missing == cached and missing != reasoned:
        return prompt + missing, completion, reasoned
    return prompt, completion + missing, max(reasoned or 0, missing)


def _part(usage: Mapping[str, Any], wholes: tuple[str, ...], names: tuple[str, ...]) -> int | None:
    """Read a part of a count: from the details, or from the top."""
    for details in (*map(usage.get, wholes), usage):
        if isinstance(details, dict) and (count := _first(details, names)) is not None:
            return count
    return None


def _first(counts: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((n for name in names if (n := _count(counts.get(name))) is not None), None)


def _count(value: object) -> int | None:
    """Read a count, which some write as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def multiplied(usage: TokenUsage, count: int) -> TokenUsage:
    """Estimate the usage of `count` choices by that of one."""
    if usage.completion_tokens is None:
        return usage
    completion = usage.completion_tokens * count
    return replace(usage, completion_tokens=completion, source="estimated")
