"""What an upstream says of itself: whether it is well, and which models it has."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import requests

from llm_api.upstream import faults
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.http.transport import Transport

_PROBE_TIMEOUT = 3.0
_LIST_TIMEOUT = 5.0
# OpenRouter's list, the longest that is known, has 400 models with descriptions in 1 MB.
_MAX_LIST_BYTES = 8 << 20
# Where a list stands, and a name in its items: in OpenAI's form, and in Ollama's and Gemini's own.
_LISTS = ("data", "models")
_NAMES = ("id", "model", "name")


def health_of(transport: Transport, behavior: UpstreamBehavior) -> str:
    """Check the health of an upstream: `ok`, `starting`, or in one word what is wrong."""
    try:
        status = transport.get_status(behavior.probe_path, timeout=_PROBE_TIMEOUT)
    except faults.Fault as fault:
        return fault.error.reason
    if status in {401, 403}:
        return "upstream_auth"
    if status == requests.codes.service_unavailable and behavior.serves_one_model:
        return "starting"
    return "ok" if status < requests.codes.server_error else "upstream_error"


def return_of(behavior: UpstreamBehavior) -> Callable[[Transport], bool] | None:
    """Return what asks a process of this machine whether it is back; None for all others."""
    if not behavior.is_started_again:
        return None
    return lambda transport: health_of(transport, behavior) == "ok"


def listed_models(transport: Transport) -> list[str] | None:
    """Ask an upstream for the names of its models; None where it does not say."""
    try:
        status, body = transport.get("/models", timeout=_LIST_TIMEOUT, max_bytes=_MAX_LIST_BYTES)
    except faults.Fault:
        return None
    return read_list(body) if status == requests.codes.ok else None


def read_list(body: bytes) -> list[str] | None:
    """Return the names in a list of models, each once; None where it is no such list."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    items = _items(document)
    return None if items is None else list(dict.fromkeys(_names(items)))


def _items(document: Any) -> list[Any] | None:
    """Find the list: at the top, under one of its usual names, or one level further in."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    inner = [document[name] for name in _LISTS if name in document]
    lists = [one for one in inner if isinstance(one, list)]
    # llama.cpp has its models under both names, others an empty list under one of them.
    if lists:
        return next(filter(None, lists), lists[0])
    return next((found for one in inner if (found := _items(one)) is not None), None)


def _names(items: list[Any]) -> Iterator[str]:
    for item in items:
        fields = [item.get(name) for name in _NAMES] if isinstance(item, dict) else [item]
        name = next((field for field in fields if isinstance(field, str) and field), None)
        if name is not None:
            yield name
