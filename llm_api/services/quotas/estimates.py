"""Estimates tokens: of a call before it is made, and of an answer that was cut off.

About four characters of English make a token, and about one and a half of Chinese:
https://help.openai.com/en/articles/4936856 and the tokenizers of the Qwen models.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from llm_api.domain.calls import ModelRequest, Operation, TextLength, TokenUsage

# For an answer whose length nothing limits; most are shorter.
ASSUMED_ANSWER_TOKENS = 1_000
# Beside the messages, these reach the model as text.
_SCHEMAS = ("tools", "functions", "response_format")
_CAPS = ("max_completion_tokens", "max_tokens")
_MOST = 10**9  # tokens of an answer; no limit that a caller writes may be too large to be counted
_ASCII_PER_TOKEN = 4.0
_OTHERS_PER_TOKEN = 1.5
_PER_MESSAGE = 4  # role and delimiters
_PER_IMAGE = 800  # a picture of a megapixel takes 700 to 1,300, depending on the vendor


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """Tokens that a call may take."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def twice(self) -> "TokenEstimate":
        """Return the estimate with a second call, whose prompt contains the first one's answer."""
        prompt = 2 * self.prompt_tokens + self.completion_tokens
        return TokenEstimate(prompt, 2 * self.completion_tokens)

    @property
    def usage(self) -> TokenUsage:
        """The same as a usage, to be priced."""
        return TokenUsage(self.prompt_tokens, self.completion_tokens, source="estimated")


def estimate_request(request: ModelRequest) -> TokenEstimate:
    """Estimate what a request may take: its prompt, and the longest answer that it allows."""
    if request.operation is Operation.EMBEDDINGS:
        return TokenEstimate(estimate_prompt(request.parameters), 0)
    return estimate_chat(request.parameters)


def estimate_chat(parameters: Mapping[str, Any]) -> TokenEstimate:
    """Estimate what a request for a text may take; `parameters` is its body without `model`."""
    prompt = estimate_prompt(parameters)
    schemas = [orjson.dumps(parameters[name]).decode() for name in _SCHEMAS if name in parameters]
    if schemas:
        prompt += estimate_text(schemas)
    cap = next((parameters[name] for name in _CAPS if parameters.get(name)), ASSUMED_ANSWER_TOKENS)
    return TokenEstimate(prompt, min(cap * _count_answers(parameters), _MOST))


def _count_answers(parameters: Mapping[str, Any]) -> int:
    """Count the texts that are generated, of which `best_of` returns only some."""
    each = max(parameters.get("n") or 1, parameters.get("best_of") or 1)
    prompts = parameters.get("prompt")
    if isinstance(prompts, list) and not isinstance(prompts[0], int):  # not one, as tokens
        return each * len(prompts)
    return each


def estimate_length(length: TextLength) -> int:
    """Estimate the tokens of a text by its length."""
    return math.ceil(length.in_ascii / _ASCII_PER_TOKEN + length.others / _OTHERS_PER_TOKEN)


def estimate_text(texts: Iterable[str]) -> int:
    """Estimate the tokens of consecutive texts."""
    length = TextLength()
    for text in texts:
        length.add(text)
    return estimate_length(length)


def estimate_prompt(parameters: Mapping[str, Any]) -> int:
    """Estimate the tokens of a request's messages or prompt, at least 1."""
    messages = parameters.get("messages")
    if not isinstance(messages, list):
        prompt = parameters.get("prompt") or parameters.get("input") or ""
        return max(1, estimate_text(_strings(prompt)) + _count_tokens(prompt))
    length, images = TextLength(), 0
    for message in messages:
        if calls := message.get("tool_calls"):
            for text in _arguments(calls):
                length.add(text)
        content = message.get("content")
        if isinstance(content, str):  # most of them
            length.add(content)
            continue
        images += _count_images(content)
        for text in _texts(content):
            length.add(text)
    return max(1, estimate_length(length) + len(messages) * _PER_MESSAGE + images * _PER_IMAGE)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _count_tokens(prompt: object) -> int:
    """Count the tokens of a prompt that consists of tokens."""
    if not isinstance(prompt, list):
        return int(type(prompt) is int)
    return sum(map(_count_tokens, prompt))


def _texts(parts: object) -> list[str]:
    """Return the texts of a content that has parts."""
    found = parts if isinstance(parts, list) else []
    texts = [part.get("text") for part in found if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _arguments(calls: object) -> list[str]:
    """Return the names and arguments of calls that a model has made."""
    found = calls if isinstance(calls, list) else []
    functions = [call.get("function") for call in found if isinstance(call, dict)]
    texts = [text for one in functions if isinstance(one, dict) for text in one.values()]
    return [text for text in texts if isinstance(text, str)]


def _count_images(content: object) -> int:
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)
