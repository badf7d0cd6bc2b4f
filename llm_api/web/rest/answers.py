"""The documented answers of the REST routes: these fields and no others."""

import secrets
import time
from typing import Any

from llm_api.domain.calls import Completion
from llm_api.domain.prompts import OptimizedPrompt


def chat_answer(completion: Completion) -> dict[str, Any]:
    """Take the documented fields out of an upstream's completion."""
    document, usage = completion.document, completion.usage
    counts = (usage.prompt_tokens, usage.completion_tokens)
    answer: dict[str, Any] = {
        "id": document.get("id") or f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": document.get("created") or int(time.time()),
        "model": document.get("model"),
        "choices": [
            {
                "index": choice.get("index", position),
                "message": {
                    "role": choice["message"].get("role", "assistant"),
                    "content": choice["message"].get("content"),
                },
                "finish_reason": choice.get("finish_reason"),
            }
            for position, choice in enumerate(document["choices"])
        ],
        "usage": {
            "prompt_tokens": counts[0],
            "completion_tokens": counts[1],
            "total_tokens": sum(counts) if None not in counts else None,
        },
    }
    return answer | ({"fallback": document["fallback"]} if "fallback" in document else {})


def prompt_answer(result: OptimizedPrompt) -> dict[str, Any]:
    """Return the three documented fields, and others only where there is something to say."""
    answer: dict[str, Any] = {
        "original_prompt": result.original_prompt,
        "optimized_prompt": result.optimized_prompt,
        "improvements": result.improvements,
    }
    if result.warnings:
        answer["warnings"] = result.warnings
    if result.candidates is not None:
        answer["candidates"] = result.candidates
    if result.negative_prompt is not None:
        answer["negative_prompt"] = result.negative_prompt
    if result.details is not None:
        answer["details"] = result.details
    return answer
