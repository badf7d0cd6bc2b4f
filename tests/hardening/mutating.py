"""Bodies as hostile as can be: any bytes, any JSON, and good bodies with something wrong in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, completion_stream, json_reply
from tests.web.openai_calls import EMBEDDINGS_ANSWER, TEXT_ANSWER

# Of characters, half ones and such as end lines or turn the direction among them.
_TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(
    [
        "\ud800",
        "a\r\nb",
        "\x00",
        "\u202e",
        "\x1b[31m",
        "../../etc/passwd",
        "' OR 1=1--",
        "a" * 5_000,
    ]
)
_NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**40, 1e308, float("nan"), float("inf"), -0.0])
)
_LEAVES = st.none() | st.booleans() | _NUMBERS | _TEXTS
_FORBIDDEN = st.sampled_from(["api_base", "api_key", "headers", "proxy"])
_KEYS = _TEXTS | _FORBIDDEN
any_json = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=20,
)
any_bytes = st.binary(max_size=500) | st.text(max_size=200).map(str.encode)


@dataclass(frozen=True)
class Operation:
    """An operation of the API document that takes a body.

    `fields` are the names of what it knows, `statuses` those that the document names.
    """

    method: str
    path: str
    example: Mapping[str, Any]
    fields: tuple[str, ...]
    statuses: frozenset[int]


def operations_in(document: Mapping[str, Any]) -> list[Operation]:
    """Find them; those that are added to the service too."""
    return [
        _operation(document, method, path, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        if "requestBody" in described
    ]


def _operation(
    document: Mapping[str, Any], method: str, path: str, described: Mapping[str, Any]
) -> Operation:
    content = described["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    return Operation(
        method.upper(),
        path.replace("{", "").replace("}", ""),
        content.get("example", {}),
        tuple(document["components"]["schemas"][name]["properties"]),
        frozenset(int(status) for status in described["responses"] if status != "default"),
    )


def mutated_bodies(operation: Operation) -> st.SearchStrategy[bytes]:
    """Take a good body and put something wrong into it: other values, more fields, other bytes."""
    names = st.sampled_from(operation.fields) | _KEYS
    changes = st.dictionaries(names, any_json | _LEAVES, min_size=1, max_size=3)
    changed = changes.map(lambda fields: _written({**operation.example, **fields}))
    good = _written(operation.example)
    return changed | st.builds(_spliced, changed | st.just(good), st.integers(0, 400), any_bytes)


def _written(document: object) -> bytes:
    return json.dumps(document).encode()


def _spliced(body: bytes, at: int, bytes_put_in: bytes) -> bytes:
    return body[:at] + bytes_put_in[:20] + body[at + len(bytes_put_in) % 7 :]


def all_bodies(operation: Operation) -> st.SearchStrategy[bytes]:
    """Take any of these bodies."""
    return any_bytes | any_json.map(_written) | mutated_bodies(operation)


def answered_well(request: RecordedRequest) -> Reply:
    """Answer any call as a good upstream does."""
    if b'"stream"' in request.body and request.json.get("stream") is True:
        return completion_stream("Hel", "lo")
    message = {"role": "assistant", "content": "Hello"}
    answers = {"/v1/completions": TEXT_ANSWER, "/v1/embeddings": EMBEDDINGS_ANSWER}
    return json_reply(200, answers.get(request.path, {"choices": [{"message": message}]}))
