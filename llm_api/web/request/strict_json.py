"""Strict JSON decoder of request bodies.

Python's decoder accepts NaN, duplicate keys, lone surrogates and integers of any length, and fails
with RecursionError on deep nesting; each of these has crashed a gateway further in. They are
rejected here, with their path, as I-JSON (RFC 7493) asks. A long string costs as much as with
`json.loads`, a thousand small objects three times as much.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from llm_api.domain.safe_text import made_printable
from llm_api.errors import InvalidRequest

MAX_DEPTH = 32
# Of fields that can hold a JSON schema, which needs four levels for an object in another.
MAX_SCHEMA_DEPTH = 128
_WITH_SCHEMAS = frozenset(
    [
        *("tools", "functions", "response_format", "structured_outputs", "guided_json"),
        *("json_schema", "output_config", "text"),
    ]
)
MAX_DIGITS = 19  # of a 64-bit integer
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_MAX_SEED = 2**64 - 1  # of ComfyUI; the one number that may need the 64th bit
MAX_FIELDS = 128  # at the top level; no route has half as many

# With these a client could choose the upstream, its key or its headers (CVE-2024-6587 in LiteLLM).
FORBIDDEN = frozenset(
    [
        "api_base",
        "base_url",
        "api_key",
        "api_version",
        "extra_headers",
        "extra_body",
        "user_config",
        "custom_llm_provider",
        "proxy",
        "proxies",
        "organization",
        "headers",
        "default_headers",
        "extra_query",
        "default_query",
        "baseURL",
        "baseUrl",
        "apiBase",
        "apiKey",
        "azure_endpoint",
        "azure_ad_token",
        "api_type",
        "deployment_id",
    ]
)
# Below these paths, names are the caller's own: schemas, wherever a vendor lets them stand, and
# arguments of calls.
_CALLERS_OWN = re.compile(
    r"(((input\[\d+\]\.)?tools\[\d+\](\.tools\[\d+\])?(\.function)?|functions\[\d+\])"
    r"\.(parameters|(in|out)put_schema|custom|response)"
    r"|tools\[\d+\]\.input_examples|(output_config|text)\.format\.schema"
    r"|response_format\.(\w+(\[\d+\])?\.)*(schema|format)"
    r"|structured_outputs\.\w+|guided_json|json_schema|(client_)?metadata"
    r"|messages\[\d+\]\.(tool_calls\[\d+\]\.function|function_call)\.arguments"
    r"|messages\[\d+\]\.content\[\d+\]\.input)(?![\w-])"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MESSAGES = {
    "number_not_finite": "must be a finite number.",
    "number_too_long": f"must be a 64-bit integer, which has at most {MAX_DIGITS} digits.",
    "duplicate_key": "must not repeat a key.",
    "forbidden_parameter": "must not be set by clients: upstream, key and headers are configured.",
    "invalid_unicode": "must be valid Unicode without lone surrogates.",
}


class _Rejected(Exception):
    """A rule is violated somewhere; `_raise_located` finds out where."""


def decode_object(raw: bytes) -> dict[str, Any]:
    """Decode a request body; raises InvalidRequest."""
    try:
        text = raw.decode()
        document = _decode(text)
    except UnicodeDecodeError as error:
        raise _invalid("json_invalid", "The body must be JSON in UTF-8.") from error
    except RecursionError as error:
        _raise_too_deep(error)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _invalid(
            "json_invalid", f"The body must be valid JSON; the error is at {where}."
        ) from error
    if not isinstance(document, dict):
        raise _invalid("not_an_object", "The body must be a JSON object: {…}.")
    if len(document) > MAX_FIELDS:
        raise _invalid("too_many_fields", f"The body must have at most {MAX_FIELDS} fields.")
    if _is_too_deep(document):
        _raise_too_deep(None)
    # Only an escape can produce a lone surrogate; one character is found far faster than two.
    if "\\" in text and "\\u" in text:
        _reject_surrogates(document)
    return document


def _decode(text: str) -> Any:
    try:
        return _FAST.decode(text)
    except _Rejected:
        _raise_located(_MARKING.decode(text))
        # Only the caller's own names look forbidden.
        return _UNFORBIDDING.decode(text)


def _invalid(reason: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, reason=reason)


def _invalid_at(path: str, reason: str) -> InvalidRequest:
    if not path:
        return _invalid(reason, f"The body {_MESSAGES[reason]}")
    # Keys of the path are the client's: lone surrogates could not be encoded in the response.
    field = made_printable(path)
    return InvalidRequest.of_field(field, _MESSAGES[reason], reason=reason)


def _raise_too_deep(cause: Exception | None) -> NoReturn:
    message = (
        f"The body must be nested at most {MAX_DEPTH} levels deep, and at most {MAX_SCHEMA_DEPTH}"
        " where it has a schema."
    )
    raise _invalid("too_deep", message) from cause


def _is_too_deep(document: dict[str, Any]) -> bool:
    if not _is_deeper(document, MAX_DEPTH):
        return False
    others = {name: value for name, value in document.items() if name not in _WITH_SCHEMAS}
    return _is_deeper(others, MAX_DEPTH) or _is_deeper(document, MAX_SCHEMA_DEPTH)


def _is_deeper(document: dict[str, Any], levels: int) -> bool:
    level: list[Any] = [document]
    for _ in range(levels):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if child and isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _reject_surrogates(document: dict[str, Any]) -> None:
    for path, value in _walk(document):
        texts = value if isinstance(value, dict) else [value]
        if any(isinstance(text, str) and _SURROGATE.search(text) for text in texts):
            raise _invalid_at(path, "invalid_unicode")


# --- hooks of the fast decoder: they detect violations ---


def _is_too_long(digits: str) -> bool:
    return len(digits) > MAX_DIGITS and len(digits.removeprefix("-")) > MAX_DIGITS


def _integer(digits: str) -> int:
    if _is_too_long(digits):
        raise _Rejected
    number = int(digits)
    if not _MIN_INTEGER <= number <= _MAX_INTEGER:
        raise _Rejected
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Rejected
    return number


def _reject(_: str) -> NoReturn:
    raise _Rejected


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(pairs) < 2:  # half of all objects in a deep body: no key can be repeated
        if document and pairs[0][0] in FORBIDDEN:
            raise _Rejected
        return document
    if len(document) != len(pairs) or not FORBIDDEN.isdisjoint(document):
        raise _Rejected
    return document


# --- hooks of the marking decoder: they put a mark where a rule is violated ---


class _Mark:
    """Replaces a value that violates a rule."""

    def __init__(self, reason: str, number: int | None = None) -> None:
        self.reason = reason
        self.number = number


class _Suspect(dict[str, Any]):
    """An object with a forbidden key."""


def _marked_integer(digits: str) -> int | _Mark:
    if len(digits) > MAX_DIGITS + 1:
        return _Mark("number_too_long")
    number = int(digits)
    is_right = _MIN_INTEGER <= number <= _MAX_INTEGER
    return number if is_right else _Mark("number_too_long", number)


def _marked_float(digits: str) -> float | _Mark:
    number = float(digits)
    return number if math.isfinite(number) else _Mark("number_not_finite")


def _marked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Mark:
    document = dict(pairs)
    if len(document) != len(pairs):
        return _Mark("duplicate_key")
    return document if FORBIDDEN.isdisjoint(document) else _Suspect(document)


_FAST = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_reject
)
_MARKING = json.JSONDecoder(
    object_pairs_hook=_marked_object,
    parse_int=_marked_integer,
    parse_float=_marked_float,
    parse_constant=lambda _: _Mark("number_not_finite"),
)
_UNFORBIDDING = json.JSONDecoder()


def _raise_located(document: Any) -> None:
    """Raise InvalidRequest for the first violation, if there is one."""
    for path, value in _walk(document):
        if isinstance(value, _Mark) and not (path == "seed" and _is_seed(value.number)):
            raise _invalid_at(path, value.reason)
        if isinstance(value, _Suspect) and not _CALLERS_OWN.match(path):
            key = next(key for key in value if key in FORBIDDEN)
            raise _invalid_at(f"{path}.{key}" if path else key, "forbidden_parameter")


def _is_seed(number: int | None) -> bool:
    return number is not None and 0 <= number <= _MAX_SEED


def _walk(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield every value with its path, such as `messages[3].role`; parents come first."""
    todo: list[tuple[str, Any]] = [("", document)]
    while todo:
        path, value = todo.pop()
        yield path, value
        if isinstance(value, dict):
            prefix = f"{path}." if path else ""
            todo += [(f"{prefix}{key}"[:200], child) for key, child in value.items()]
        elif isinstance(value, list):
            todo += [(f"{path}[{i}]"[:200], child) for i, child in enumerate(value)]
