"""Finds the error in an answer that came with status 200.

OpenAI's form is an object under `error`. Others say it in `base_resp` (MiniMax), `error_message`
(DeepInfra), `error_msg` (Baidu), `detail` (FastAPI), `errors`, a text, fields at the top
(DashScope, vLLM, SGLang), or inside a choice (OpenRouter). What it means is not decided here.
"""

from collections.abc import Mapping
from typing import Any

_SUCCESS = frozenset(
    ["", "0", "200", "ok", "success", "succeeded", "successful", "none", "null", "false"]
)
# Names of an error's number or sentence at the top of a document.
_NUMBERS = (
    "error_code",
    "errorCode",
    "err_code",
    "errcode",
    "status_code",
    "statusCode",
    "__type",
)
_SENTENCES = (
    "error_message",
    "error_msg",
    "errorMessage",
    "errorMsg",
    "err_msg",
    "errmsg",
    "error_description",
    "exception",
)
_HINTS = ("message", "msg", "detail", "code", "title")
_ENVELOPES = ("Response", "response", "header")
_IDLE = ("ping", "heartbeat", "keepalive", "keep-alive", "keep_alive")
_FAILED = frozenset(["error", "failed", "failure", "fail"])
_MAX_DEPTH = 8  # an upstream may nest deeper than Python's stack reaches
# Of the answer, none of which is part of an error.
_ANSWER = frozenset(["choices", "usage", "object", "created", "model", "id"])


def find_error(document: Mapping[str, Any], *, is_whole: bool) -> object:
    """Return the error in a document, as the vendor wrote it; None if it has none.

    `is_whole` says that the document is all that came: without an answer in it, any sentence is
    taken for an error. An event of a stream may be a heartbeat.
    """
    error = document.get("error")
    if _says_error(error):
        # A flag, or a number: what it is about stands beside it.
        return error if isinstance(error, str | list | dict) else _without_answer(document)
    base = document.get("base_resp")
    if isinstance(base, dict) and not _is_success(base.get("status_code")):
        return base
    if document.get("choices") or document.get("data"):
        return None
    if _is_flat_error(document) or (is_whole and _has_a_sentence(document)):
        return _without_answer(document)
    return _error_of_envelope(document)


def _error_of_envelope(document: Mapping[str, Any]) -> object:
    """Return the error inside Tencent's `Response` or iFlytek's `header`; None if it has none."""
    for envelope in map(document.get, _ENVELOPES):
        if isinstance(envelope, dict):
            error = envelope.get("Error", envelope.get("error"))
            if _says_error(error):
                return error
            if _is_flat_error(envelope):
                return envelope
    return None


def is_remark(document: Mapping[str, Any]) -> bool:
    """Whether an event without an answer says nothing, or a sentence which only its place explains.

    In front of an answer it is a sign of life; where nothing follows, an error.
    """
    if document.get("usage") or document.get("data"):
        return False
    return not document or document.get("type") in _IDLE or _has_a_sentence(document)


def error_of_choice(choice: Mapping[str, Any]) -> object:
    """Return the error inside a choice, as the vendor wrote it; None if it has none."""
    said = choice.get("message") or choice.get("delta")
    for part in (choice, said if isinstance(said, dict) else {}):
        if _says_error(error := part.get("error")):
            return error
    reason = choice.get("finish_reason")
    # OpenRouter's `error`, Zhipu's `network_error`.
    is_error = isinstance(reason, str) and "error" in reason.lower()
    return {"type": reason, "message": ""} if is_error else None


def error_of_list(document: object) -> object:
    """Return the error that is the first item of a list, which is Google's form; None if none."""
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        return None
    return find_error(document[0], is_whole=True)


def error_of_event(document: object) -> object:
    """Return the error that an event named `error` has for data, whatever its form."""
    if not isinstance(document, dict):
        return error_of_list(document) or document
    inner = document.get("error")
    return inner if _says_error(inner) and not isinstance(inner, bool) else document


def _says_error(error: object, depth: int = 0) -> bool:
    """Whether the value of `error` says that there is one."""
    if not isinstance(error, dict | list):
        return not _is_success(error)
    if depth >= _MAX_DEPTH:
        return bool(error)
    parts = error
    if isinstance(error, dict):
        code = error.get("code", error.get("status_code"))
        if code is not None and _is_success(code):
            return False
        parts = list(error.values())
    return any(_says_error(part, depth + 1) for part in parts)


def _is_success(value: object) -> bool:
    if value is None or value is False:
        return True
    if isinstance(value, int | float) and value is not True:
        return value in {0, 200}
    return isinstance(value, str) and value.strip().lower() in _SUCCESS


def _is_flat_error(document: Mapping[str, Any]) -> bool:
    """Whether the fields at the top of a document without an answer are an error's."""
    if any(not _is_success(document.get(name)) for name in (*_NUMBERS, *_SENTENCES)):
        return True
    if _says_error(document.get("errors")) or document.get("success") is False:
        return True
    if any(str(document.get(name)).lower() in _FAILED for name in ("type", "object", "status")):
        return True
    code = document.get("code")
    has_code = isinstance(code, str | int) and not _is_success(code)
    return has_code or ("detail" in document and not _is_success(document["detail"]))


def _has_a_sentence(document: Mapping[str, Any]) -> bool:
    return any(not _is_success(document.get(name)) for name in _HINTS)


def _without_answer(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _ANSWER}
