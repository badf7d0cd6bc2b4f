"""What the span of an attempt says of its request and of its answer."""

from collections.abc import Mapping
from typing import Any

from llm_api.domain.tracing import SentRequest, TracedAnswer
from llm_api.observability.tracing import span_names as names

Attributes = dict[str, Any]
_NUMBERS = {
    "max_tokens": names.REQUEST_MAX_TOKENS,
    "max_completion_tokens": names.REQUEST_MAX_TOKENS,
    "max_output_tokens": names.REQUEST_MAX_TOKENS,
    "temperature": names.REQUEST_TEMPERATURE,
    "top_p": names.REQUEST_TOP_P,
    "top_k": names.REQUEST_TOP_K,
    "seed": names.REQUEST_SEED,
    "frequency_penalty": names.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": names.REQUEST_PRESENCE_PENALTY,
}


def name_of(sent: SentRequest) -> str:
    """Return the name of the span of an attempt: `chat gpt-5`."""
    return f"{names.OPERATIONS[sent.operation]} {sent.model}"


def of_request(sent: SentRequest) -> Attributes:
    """Return the attributes of a request, none of which has a text of a prompt."""
    server = sent.server
    found: Attributes = {
        names.OPERATION: names.OPERATIONS[sent.operation],
        names.PROVIDER: names.PROVIDERS.get(server.provider, server.provider),
        names.REQUEST_MODEL: sent.model,
        names.SERVER_ADDRESS: server.host,
        names.SERVER_PORT: server.port,
        names.ENDPOINT: sent.endpoint,
        names.ATTEMPT_NUMBER: sent.number,
    }
    if sent.is_fallback:
        found[names.ATTEMPT_IS_FALLBACK] = True
    if sent.after is not None:
        found[names.ATTEMPT_AFTER] = sent.after
    if sent.operation == "image":
        found[names.OUTPUT_TYPE] = "image"
        return found
    return found | _of_body(sent.body)


def _of_body(body: Mapping[str, Any]) -> Attributes:
    found: Attributes = {
        attribute: value
        for name, attribute in _NUMBERS.items()
        if isinstance(value := body.get(name), int | float)
    }
    if body.get("stream"):
        found[names.REQUEST_STREAM] = True
    if (count := body.get("n") or 1) != 1:
        found[names.REQUEST_CHOICE_COUNT] = count
    if stop := body.get("stop"):
        found[names.REQUEST_STOP_SEQUENCES] = [stop] if isinstance(stop, str) else list(stop)
    if wanted := body.get("response_format"):
        found[names.OUTPUT_TYPE] = "text" if wanted.get("type") == "text" else "json"
    return found


def of_answer(answer: TracedAnswer) -> Attributes:
    """Return the attributes of an answer, none of which has a text of it."""
    document, usage = answer.document, answer.usage
    reasons = [
        reason
        for choice in document.get("choices") or ()
        if isinstance(reason := choice.get("finish_reason"), str)
    ]
    found = {
        names.RESPONSE_ID: document.get("id"),
        names.RESPONSE_MODEL: document.get("model"),
        names.RESPONSE_FINISH_REASONS: reasons or None,
        names.USAGE_INPUT: usage.prompt_tokens,
        names.USAGE_OUTPUT: usage.completion_tokens,
        names.USAGE_CACHE_READ: usage.cached_tokens,
        names.USAGE_REASONING: usage.reasoning_tokens,
    }
    return {name: value for name, value in found.items() if value is not None}
