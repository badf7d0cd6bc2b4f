"""Estimates tokens from text, for answers that were cut before their usage came.

About four characters of English make a token, and about one and a half of Chinese:
https://help.openai.com/en/articles/4936856 and the tokenizers of the Qwen models.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from llm_api.domain.calls import TextLength

_ASCII_PER_TOKEN = 4.0
_OTHERS_PER_TOKEN = 1.5
_PER_MESSAGE = 4  # role and delimiters
_PER_IMAGE = 800  # a picture of a megapixel takes 700 to 1,300, by vendor


def estimate_length(length: TextLength) -> int:
    """Estimate the tokens of a text of so many characters."""
    return math.ceil(length.in_ascii / _ASCII_PER_TOKEN + length.others / _OTHERS_PER_TOKEN)


def estimate_text(texts: Iterable[str]) -> int:
    """Estimate the tokens of texts that follow on each other."""
    length = TextLength()
    for text in texts:
        length.add(text)
    return estimate_length(length)


def estimate_prompt(parameters: Mapping[str, Any]) -> int:
    """Estimate the tokens of a request's messages or prompt, 1 at least."""
    messages = parameters.get("messages")
    if not isinstance(messages, list):
        prompt = parameters.get("prompt") or parameters.get("input") or ""
        return max(1, estimate_text(_strings(prompt)) + _count_tokens(prompt))
    images = sum(_count_images(message.get("content")) for message in messages)
    texts = (text for message in messages for text in _texts(message.get("content")))
    return max(1, estimate_text(texts) + len(messages) * _PER_MESSAGE + images * _PER_IMAGE)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _count_tokens(prompt: object) -> int:
    """Count those of a prompt that came as tokens already."""
    if not isinstance(prompt, list):
        return int(type(prompt) is int)
    return sum(map(_count_tokens, prompt))


def _texts(content: object) -> list[str]:
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return [text for text in parts if isinstance(text, str)]
    return _strings(content)


def _count_images(content: object) -> int:
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)
