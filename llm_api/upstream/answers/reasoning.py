"""Sees whether a reasoning model has spent its whole cap on thinking, and said nothing."""

from collections.abc import Mapping
from typing import Any

from llm_api.domain.calls import Completion


def spent_on_thinking(completion: Completion) -> bool:
    """Tell whether every choice was cut while the model was still thinking."""
    choices = completion.document.get("choices", ())
    if not choices or not all("message" in choice for choice in choices):
        return False  # embeddings, or a text completion
    return all(_is_empty(choice) for choice in choices) and _has_thought(completion.document)


def _is_empty(choice: Mapping[str, Any]) -> bool:
    if choice.get("finish_reason") != "length":
        return False
    message = choice["message"]
    content = message.get("content")
    return not (isinstance(content, str) and content.strip()) and not message.get("tool_calls")


def _has_thought(document: Mapping[str, Any]) -> bool:
    if any(choice["message"].get("reasoning_content") for choice in document["choices"]):
        return True
    if any(choice["message"].get("reasoning") for choice in document["choices"]):
        return True  # Ollama's and vLLM's newer name
    usage = document.get("usage")
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    return bool(isinstance(details, dict) and details.get("reasoning_tokens"))
