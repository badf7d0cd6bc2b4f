"""C10 to C15 and C40: answers with status 200 that are none, or with a usage that is none."""

import base64
import gzip
import zlib

import pytest

from tests.faults.gateway import ANSWER, Gateway, ValidationResult, in_both_dialects, told
from tests.support import replies
from tests.support.replies import Reply, Whole, json_reply
from tests.support.wire import response_bytes
from tests.web.streams import forget_peak, resident_bytes

MEBIBYTE = 1 << 20
JSON = ("Content-Type", "application/json")
BAD = (502, "SERVICE_ERROR", "upstream_bad_response", True)
TOO_LARGE = (502, "SERVICE_ERROR", "upstream_too_large", False)


def body(content: bytes, *headers: tuple[str, str]) -> Reply:
    """Answer with a body, which is called JSON."""
    return Whole(response_bytes(200, content, [JSON, *headers]))


NO_JSON = {
    "HTML": Whole(response_bytes(200, b"<html>Hello</html>", [("Content-Type", "text/html")])),
    "HTML that is called JSON": body(b"<html>Hello</html>"),
    "empty": body(b""),
    "cut": body(b'{"choices": [{"message": {"role": "assis'),
    "not a number": body(b'{"choices": [{"message": {"content": "Hello"}}], "x": NaN}'),
}


@in_both_dialects
@pytest.mark.parametrize("reply", NO_JSON.values(), ids=NO_JSON)
def test_c10_no_json(gateway: Gateway, path: str, reply: Reply) -> None:
    gateway.upstream.script(reply)

    assert gateway.fail(path) == told(path, BAD, hits=1)


NO_CHOICES: dict[str, object] = {
    "no choices": {"id": "chatcmpl-1", "object": "chat.completion"},
    "choices empty": {"choices": []},
    "message null": {"choices": [{"index": 0, "message": None, "finish_reason": "stop"}]},
}


@in_both_dialects
@pytest.mark.parametrize("document", NO_CHOICES.values(), ids=NO_CHOICES)
def test_c11_no_choices(gateway: Gateway, path: str, document: object) -> None:
    gateway.upstream.script(json_reply(200, document))

    assert gateway.fail(path) == told(path, BAD, hits=1)


@in_both_dialects
def test_c11_content_null_with_tool_calls(gateway: Gateway, path: str) -> None:
    function = {"name": "get_weather", "arguments": "{}"}
    call = {"id": "call_1", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    gateway.upstream.script(json_reply(200, {"choices": [choice]}))

    assert gateway.succeed(path) == (1, ("ok", None, 1))


EMBEDDED: dict[str, tuple[object, ValidationResult, int | None]] = {
    "rejected": ({"code": 400}, (400, "VALIDATION_ERROR", "upstream_rejected", False), None),
    "filtered": (
        {"code": "DataInspectionFailed"},
        (400, "VALIDATION_ERROR", "content_filtered", False),
        None,
    ),
    "account": ({"code": "Arrearage"}, (502, "SERVICE_ERROR", "upstream_account", False), None),
    "key": ({"code": "invalid_api_key"}, (502, "SERVICE_ERROR", "upstream_auth", False), None),
    "model": (
        {"code": "model_not_found"},
        (404, "VALIDATION_ERROR", "model_not_found", False),
        None,
    ),
    "context": (
        {"code": 400, "type": "exceed_context_size_error"},
        (400, "VALIDATION_ERROR", "context_length_exceeded", False),
        None,
    ),
    "rate": ({"code": 429}, (429, "RATE_LIMIT_EXCEEDED", "upstream_rate_limited", True), 1),
    "quota": (
        {"code": "insufficient_quota"},
        (429, "RATE_LIMIT_EXCEEDED", "upstream_rate_limited", False),
        None,  # no wait would help
    ),
    "failed": ({"code": 500}, (502, "SERVICE_ERROR", "upstream_error", True), None),
    "away": ({"code": 503}, (503, "SERVICE_ERROR", "upstream_unavailable", True), 1),
    "late": ({"code": 408}, (504, "SERVICE_ERROR", "upstream_timeout", True), None),
    "loading": (
        {"code": 503, "message": "Loading model"},
        (503, "SERVICE_ERROR", "upstream_starting", True),
        5,
    ),
    "no code": ("It broke.", (502, "SERVICE_ERROR", "upstream_error", True), None),
}


@in_both_dialects
@pytest.mark.parametrize(("error", "verdict", "wait"), EMBEDDED.values(), ids=EMBEDDED)
def test_c12_error_inside_status_200(
    gateway: Gateway, path: str, error: object, verdict: ValidationResult, wait: int | None
) -> None:
    gateway.upstream.script(json_reply(200, {"error": error}))

    left = gateway.fail(path, model="scripted")

    assert left == told(path, verdict, hits=1, retry_after=wait)


def deflated(total_bytes: int) -> bytes:
    """Compress so many bytes, a multiple of a mebibyte."""
    compressor = zlib.compressobj(1)
    block = b"0" * MEBIBYTE
    parts = [compressor.compress(block) for _ in range(total_bytes // MEBIBYTE)]
    return b"".join(parts) + compressor.flush()


# 200 MiB, as the others.
BROTLI = base64.b64decode(
    "z///f8CM1GLNGO+MUOkpsrVXMDoNSCWlXKYEi4ZoNjDutq1N0kVsef8P/P//h18CIA4LAHTv//n//w+/BEAcFgHo3v/z"
    "//8ffgmAOCwA0L3/5///P/wSAHFYAKB7/8///3/4JQDisABA9/6f////8EsAxGEBgO79P////+GXAIjDAgDd+3/+///D"
    "LwEQhwUAuvf//P//h18CIA4LAHTv//n//w+/BEAcFgDo3v/z//8ffgmAOCwA0L3/zxMAQPySfV0ipcphAcDu+z8="
)


def growth_of(gateway: Gateway, reply: Reply, path: str, *verdicts: ValidationResult) -> int:
    """Let a call meet a bomb; return by how many bytes the worker's memory grew at most."""
    gateway.upstream.script(reply)
    forget_peak(gateway.worker)
    before = resident_bytes(gateway.worker)

    left = gateway.fail(path)

    assert left in [told(path, verdict, hits=1) for verdict in verdicts]
    return resident_bytes(gateway.worker) - before


@in_both_dialects
def test_c14_gzip_bomb(gateway: Gateway, path: str) -> None:
    bomb = replies.gzip_bomb(200 * MEBIBYTE)

    assert growth_of(gateway, bomb, path, TOO_LARGE) <= 64 * MEBIBYTE


@in_both_dialects
def test_c14_deflate_bomb(gateway: Gateway, path: str) -> None:
    bomb = body(deflated(200 * MEBIBYTE), ("Content-Encoding", "deflate"))

    assert growth_of(gateway, bomb, path, TOO_LARGE) <= 64 * MEBIBYTE


@in_both_dialects
def test_c14_brotli_bomb(gateway: Gateway, path: str) -> None:
    bomb = body(BROTLI, ("Content-Encoding", "br"))

    # Where no brotli package is installed nothing is inflated, and the body is no JSON.
    assert growth_of(gateway, bomb, path, TOO_LARGE, BAD) <= 64 * MEBIBYTE


@in_both_dialects
def test_c14_six_chained_encodings(gateway: Gateway, path: str) -> None:
    bomb = replies.gzip_bomb(200 * MEBIBYTE, layers=6)

    assert growth_of(gateway, bomb, path, TOO_LARGE) <= 64 * MEBIBYTE


COMPRESSED = gzip.compress(b'{"choices": [{"message": {"content": "Hello"}}]}')
BAD_GZIP = {
    "no gzip": b'{"choices": []}',
    "cut": COMPRESSED[:-12],
    "wrong sum": COMPRESSED[:-8] + b"\0" * 8,
}


@in_both_dialects
@pytest.mark.parametrize("content", BAD_GZIP.values(), ids=BAD_GZIP)
def test_c15_invalid_gzip(gateway: Gateway, path: str, content: bytes) -> None:
    gateway.upstream.script(body(content, ("Content-Encoding", "gzip")))

    assert gateway.fail(path) == told(path, BAD, hits=1)


NO_USAGE: dict[str, object] = {
    "negative": {"prompt_tokens": 5, "completion_tokens": -2},
    "a string": {"prompt_tokens": "5", "completion_tokens": 2},
    "2^70": {"prompt_tokens": 5, "completion_tokens": 2**70},
    "more than max_tokens": {"prompt_tokens": 5, "completion_tokens": 11},
}


def tokens_of(gateway: Gateway, path: str) -> tuple[int | None, int | None, str]:
    """Make a call for 10 tokens at most; return what stands in its usage row."""
    row = gateway.succeeded(path, max_tokens=10)
    return row["prompt_tokens"], row["completion_tokens"], row["usage_source"]


@in_both_dialects
@pytest.mark.parametrize("usage", NO_USAGE.values(), ids=NO_USAGE)
def test_c40_usage_that_cannot_be(gateway: Gateway, path: str, usage: object) -> None:
    gateway.upstream.script(json_reply(200, {**ANSWER, "usage": usage}))

    assert tokens_of(gateway, path) == (None, None, "invalid")


@in_both_dialects
def test_c40_usage_absent(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(json_reply(200, ANSWER))

    assert tokens_of(gateway, path) == (None, None, "missing")
