"""Reads a refusal in either dialect, and holds it to what is promised of every error."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.raw import RawResponse

MAX_BYTES = 4096
MAX_FIELDS = 10
CHAT = "/api/v1/llm/chat"
OPTIMIZE = "/api/v1/llm/optimize-prompt"
COMPLETIONS = "/v1/chat/completions"
ENGINE = "/v1/engines/scripted/chat/completions"
TEXT = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"
CHATS = (CHAT, COMPLETIONS)
POSTS = (CHAT, OPTIMIZE, COMPLETIONS)
MODEL_ROUTES = (COMPLETIONS, ENGINE, TEXT, EMBEDDINGS)
JSON_TYPE = ("Content-Type", "application/json")

_TYPES = {
    "VALIDATION_ERROR": "invalid_request_error",
    "AUTHENTICATION_ERROR": "authentication_error",
    "RATE_LIMIT_EXCEEDED": "rate_limit_error",
    "SERVICE_ERROR": "server_error",
}
# By Anthropic's page of errors.
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# Of a traceback, of our own files, of the upstream's key, of SQL, of a page.
_NEVER_SAID = (b"Traceback", b'File "', b".py", b"sk-canary", b"SELECT ", b"<html", b"<!doctype")


@dataclass(frozen=True)
class Refusal:
    """What a client can read from an error, whichever dialect it came in."""

    status: int
    code: str
    reason: str
    is_retryable: bool
    message: str
    fields: tuple[str, ...] = ()

    @property
    def verdict(self) -> tuple[int, str, str, bool]:
        """Status, code, reason and whether repeating can help."""
        return (self.status, self.code, self.reason, self.is_retryable)


def good_body(path: str) -> dict[str, object]:
    """Build the smallest body that a route accepts."""
    bodies: dict[str, dict[str, object]] = {
        OPTIMIZE: {"prompt": "A cat sitting on a chair", "type": "image"},
        TEXT: {"prompt": "Once"},
        EMBEDDINGS: {"input": "Once"},
    }
    conversation = {"messages": [{"role": "user", "content": "Hello"}]}
    bodies[MESSAGES] = {**conversation, "max_tokens": 9}
    is_named = path in {*MODEL_ROUTES, MESSAGES, COUNT_TOKENS} - {ENGINE}  # its path names it
    return bodies.get(path, conversation) | ({"model": "scripted"} if is_named else {})


def body_text(path: str, **literals: str) -> bytes:
    """Build a good body with fields set to JSON texts as they are, valid or not."""
    good = {name: json.dumps(value) for name, value in good_body(path).items()}
    fields = [f'"{name}": {text}' for name, text in (good | literals).items()]
    return ("{" + ", ".join(fields) + "}").encode()


def read_refusal(path: str, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read an error and assert what holds for every one, in the dialect of the path."""
    assert headers["Content-Type"] == "application/json"
    assert len(body) <= MAX_BYTES
    assert not [said for said in _NEVER_SAID if said.lower() in body.lower()]
    document = json.loads(body)
    error = document["error"]
    details = error["details"]
    assert details["request_id"] == headers["x-request-id"] == headers["request-id"]
    if path == MESSAGES or path.startswith(f"{MESSAGES}/"):
        assert document["request_id"] == details["request_id"]
        refusal = _anthropic(status, document)
    else:
        refusal = _openai(status, error) if path.startswith("/v1") else _rest(status, error)
    assert refusal.message
    assert len(refusal.fields) <= MAX_FIELDS
    return refusal


def read_raw_refusal(path: str, answer: RawResponse) -> Refusal:
    """Read an error as it came from a socket."""
    headers = {name.lower(): value for name, value in answer.headers}
    headers |= {"Content-Type": headers["content-type"]}
    return read_refusal(path, answer.status, headers, answer.body)


def _rest(status: int, error: dict) -> Refusal:
    details = error["details"]
    assert set(error) == {"code", "message", "details"}
    return Refusal(
        status=status,
        code=error["code"],
        reason=details["reason"],
        is_retryable=details["retryable"],
        message=error["message"],
        fields=_fields(details),
    )


def _openai(status: int, error: dict) -> Refusal:
    details = error["details"]
    fields = _fields(details)
    assert set(error) == {"message", "type", "param", "code", "details"}
    assert error["type"] == ("permission_error" if status == 403 else _TYPES[details["code"]])
    assert error["code"] == details["reason"]
    assert error["param"] == (fields[0] if fields else None)
    return Refusal(
        status=status,
        code=details["code"],
        reason=error["code"],
        is_retryable=details["retryable"],
        message=error["message"],
        fields=fields,
    )


def _anthropic(status: int, document: dict) -> Refusal:
    error = document["error"]
    details = error["details"]
    assert set(document) == {"type", "error", "request_id"}
    assert document["type"] == "error"
    assert set(error) == {"type", "message", "details"}
    usual = "invalid_request_error" if status < 500 else "api_error"
    assert error["type"] == _ANTHROPIC_TYPES.get(status, usual)
    assert details["error_code"] == details["reason"]
    return Refusal(
        status=status,
        code=details["code"],
        reason=details["reason"],
        is_retryable=details["retryable"],
        message=error["message"],
        fields=_fields(details),
    )


def _fields(details: dict) -> tuple[str, ...]:
    return tuple(wrong["field"] for wrong in details.get("errors", ()))
