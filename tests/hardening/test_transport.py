"""Section B: bytes that are no good HTTP, or good HTTP that is not to be believed."""

import pytest
from openai import APIStatusError, OpenAI

from llm_api.web.request.body import MAX_BODY_BYTES
from tests.faults.gateway import Gateway
from tests.hardening.sending import (
    BODY_ROUTES,
    CLOSE,
    HOST,
    answers_to,
    assert_unheard,
    invalid,
    posted,
    refusal_of,
)
from tests.support.raw import RawResponse, exchange, request_bytes, responses
from tests.web.refusals import CHAT, COMPLETIONS, JSON_TYPE, OPTIMIZE, body_text, read_raw_refusal

GET = b"GET /healthz HTTP/1.1\r\nHost: service\r\n"
MODELS = "/v1/models"
NO_HTTP = invalid("malformed_http")
IN_BOTH_DIALECTS = ["/healthz", MODELS]
CLIENT_HELLO = bytes.fromhex("16030100050100000100") + b"\x03\x03" + bytes(64)
H2C_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
CANARY = "sk-canary-of-the-client"

on_every_route = pytest.mark.parametrize("path", BODY_ROUTES)
in_both_dialects = pytest.mark.parametrize("path", IN_BOTH_DIALECTS, ids=["rest", "openai"])


def head(path: str, *lines: bytes) -> bytes:
    """Build a GET whose header lines are sent as they are."""
    return b"\r\n".join([b"GET %b HTTP/1.1" % path.encode(), b"Host: service", *lines, b"", b""])


def framed(path: str, *headers: tuple[str, str], body: bytes = b"0\r\n\r\n") -> bytes:
    """Build a call whose framing is up to the test, with a good call right behind it."""
    first = request_bytes("POST", path, [HOST, JSON_TYPE, *headers], body)
    return first + posted(path, body_text(path))


def statuses(answers: list[RawResponse]) -> list[int]:
    """Return the status of each answer."""
    return [answer.status for answer in answers]


# --- B1 to B3: where a body ends ---

DOUBTFUL = {
    "B1 length and chunks": [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
    "B1 chunks and length": [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
    "B2 twice the same": [("Content-Length", "5"), ("Content-Length", "5")],
    "B2 twice": [("Content-Length", "5"), ("Content-Length", "6")],
    "B2 list": [("Content-Length", "5, 5")],
    "B2 plus": [("Content-Length", "+5")],
    "B2 minus": [("Content-Length", "-1")],
    "B2 underscore": [("Content-Length", "1_0")],
    "B2 too many digits": [("Content-Length", "9" * 5_000)],
    "B3 chunked twice": [("Transfer-Encoding", "chunked, chunked")],
    "B3 control character": [("Transfer-Encoding", "\x0bchunked")],
}


@on_every_route
@pytest.mark.parametrize("framing", DOUBTFUL.values(), ids=DOUBTFUL)
def test_b1_b2_b3_doubtful_framing(
    gateway: Gateway, path: str, framing: list[tuple[str, str]]
) -> None:
    # One answer, and nothing at the upstream: what stands behind it is not executed.
    assert refusal_of(gateway, path, framed(path, *framing)).verdict == NO_HTTP


@on_every_route
def test_b3_unknown_transfer_encoding(gateway: Gateway, path: str) -> None:
    refusal = refusal_of(gateway, path, framed(path, ("Transfer-Encoding", "xchunked")))

    assert refusal.verdict == (501, "SERVICE_ERROR", "transfer_encoding_unsupported", False)


@on_every_route
def test_b3_transfer_encoding_in_http_1_0(gateway: Gateway, path: str) -> None:
    payload = framed(path, ("Transfer-Encoding", "chunked"))

    refusal = refusal_of(gateway, path, payload.replace(b"HTTP/1.1", b"HTTP/1.0", 1))

    assert refusal.verdict == NO_HTTP


@on_every_route
@pytest.mark.parametrize("chunk", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"2\r\n{}xx0\r\n\r\n"])
def test_b3_broken_chunk(gateway: Gateway, path: str, chunk: bytes) -> None:
    payload = framed(path, ("Transfer-Encoding", "chunked"), body=chunk)

    assert refusal_of(gateway, path, payload).verdict == invalid("body_unreadable")


# --- B4 to B6: heads ---

MALFORMED = {
    "folded": b"X-Folded: one\r\n two",
    "space before colon": b"X-Space : one",
    "NUL": b"X-Nul: a\x00b",
    "two hosts": b"Host: other",
    "no colon": b"Authorization Bearer " + CANARY.encode(),
    "no name": b": one",
    "bare CR": b"X-Bare: a\rb",
}


@in_both_dialects
@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
def test_b4_malformed_header(gateway: Gateway, path: str, line: bytes) -> None:
    payload = head(path, line) + head("/nothing")

    assert refusal_of(gateway, path, payload).verdict == NO_HTTP
    assert CANARY not in gateway.service.log()


def test_b4_bare_line_feeds(gateway: Gateway) -> None:
    refusal = refusal_of(gateway, "/healthz", b"GET /healthz HTTP/1.1\nHost: service\n\n" + GET)

    assert refusal.verdict == NO_HTTP


@in_both_dialects
def test_b5_header_too_long(gateway: Gateway, path: str) -> None:
    refusal = refusal_of(gateway, path, head(path, b"X-Long: " + b"x" * 9_000))

    assert refusal.verdict == invalid("headers_too_large", 431)


@in_both_dialects
def test_b5_too_many_headers(gateway: Gateway, path: str) -> None:
    refusal = refusal_of(gateway, path, head(path, *[b"X-%d: 1" % n for n in range(100)]))

    assert refusal.verdict == invalid("headers_too_large", 431)


def test_b5_headers_without_end(gateway: Gateway) -> None:
    refusal = refusal_of(gateway, "/healthz", head("/healthz", *[b"X: 1"] * 500_000))

    assert refusal.verdict == invalid("headers_too_large", 431)


@pytest.mark.parametrize("length", [5_000, 5_000_000])
def test_b5_address_too_long(gateway: Gateway, length: int) -> None:
    # Whose dialect it is cannot be told before the address was read.
    refusal = refusal_of(gateway, "/", head("/v1/" + "a" * length))

    assert refusal.verdict == invalid("address_too_long", 414)


OTHER_PROTOCOLS = {
    "TLS": CLIENT_HELLO + b"\r\n\r\n",  # a hello is a line without an end
    "HTTP/2": H2C_PREFACE,
    "HTTP/9.9": GET.replace(b"1.1", b"9.9") + b"\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n\r\n",
}


@pytest.mark.parametrize("payload", OTHER_PROTOCOLS.values(), ids=OTHER_PROTOCOLS)
def test_b6_other_protocol(gateway: Gateway, payload: bytes) -> None:
    assert refusal_of(gateway, "/", payload).verdict == NO_HTTP


# --- B7 and B8: what is not executed, what is not believed ---


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/nothing", "application/json", 404),
        *((path, "text/plain", 415) for path in BODY_ROUTES),
    ],
)
def test_b7_body_that_nobody_read(
    gateway: Gateway, path: str, media_type: str, status: int
) -> None:
    body = GET + b"\r\n"
    length = ("Content-Length", str(len(body)))
    first = request_bytes("POST", path, [HOST, ("Content-Type", media_type), length], body)

    answers = answers_to(gateway, first + request_bytes("GET", "/readyz", [HOST, CLOSE]))

    assert statuses(answers) == [status, 200]
    assert read_raw_refusal(path, answers[0]).status == status
    assert answers[1].json["status"] == "ready"


@pytest.mark.parametrize("path", [CHAT, OPTIMIZE, COMPLETIONS])
@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script-Name", "PATH_INFO", "Script_Name"])
def test_b8_header_that_names_a_path(gateway: Gateway, path: str, name: str) -> None:
    # The tests' own address is one that gunicorn trusts.
    (answer,) = answers_to(gateway, posted(path, body_text(path), (name, "/zz")))

    assert answer.status == 200


# --- B12 to B15: methods, expectations, and gunicorn's own errors ---


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/nothing", "/api/v1/llm/nothing", "/%00", "/v1/%ff%fe"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "TRACE"])
def test_b12_unknown_path(gateway: Gateway, path: str, method: str) -> None:
    (answer,) = answers_to(gateway, request_bytes(method, path, [HOST, CLOSE]))

    assert read_raw_refusal(path, answer).verdict == invalid("not_found", 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
@on_every_route
def test_b12_b13_wrong_method(gateway: Gateway, path: str, method: str) -> None:
    (answer,) = answers_to(gateway, request_bytes(method, path, [HOST, CLOSE]))

    assert read_raw_refusal(path, answer).verdict == invalid("method_not_allowed", 405)
    assert set((answer.header("Allow") or "").split(", ")) == {"OPTIONS", "POST"}
    assert_unheard(gateway, [answer])


@pytest.mark.parametrize("path", ["/healthz", MODELS, "/api/v1/usage", "/openapi.json"])
def test_b12_wrong_method_where_only_reading_is_possible(gateway: Gateway, path: str) -> None:
    (answer,) = answers_to(gateway, posted(path, b"{}"))

    assert read_raw_refusal(path, answer).verdict == invalid("method_not_allowed", 405)
    assert set((answer.header("Allow") or "").split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), (MODELS, 200), ("/nothing", 404), (CHAT, 405), (COMPLETIONS, 405)],
)
def test_b12_head(gateway: Gateway, path: str, status: int) -> None:
    request = request_bytes("HEAD", path, [HOST, CLOSE])

    received = exchange(gateway.service.address, request, must_close=True)

    (answer,) = responses(received, to_head=True)
    assert answer.status == status
    assert int(answer.header("Content-Length") or 0) > 0
    assert answer.header("x-request-id")
    assert bool(answer.header("Allow")) is (status == 405)


@on_every_route
def test_b12_options(gateway: Gateway, path: str) -> None:
    (answer,) = answers_to(gateway, request_bytes("OPTIONS", path, [HOST, CLOSE]))

    assert (answer.status, answer.body) == (200, b"")
    assert set((answer.header("Allow") or "").split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("target", ["example.org:443", "*", "/v1/models"])
def test_b13_connect(gateway: Gateway, target: str) -> None:
    (answer,) = answers_to(gateway, request_bytes("CONNECT", target, [HOST, CLOSE]))

    refusal = read_raw_refusal(target, answer)
    assert refusal.status in {400, 404, 405}
    assert "example.org" not in refusal.message


def test_b13_address_of_another_host_is_ours(gateway: Gateway) -> None:
    request = request_bytes("GET", "http://example.org/v1/models", [HOST, CLOSE])

    (answer,) = answers_to(gateway, request)

    assert (answer.status, answer.json["object"]) == (200, "list")


@on_every_route
def test_b14_unknown_expectation(gateway: Gateway, path: str) -> None:
    refusal = refusal_of(gateway, path, posted(path, body_text(path), ("Expect", "zzz")))

    assert refusal.verdict == invalid("expectation_failed", 417)


@on_every_route
def test_b14_waiting_with_a_body_too_large(gateway: Gateway, path: str) -> None:
    length = ("Content-Length", str(MAX_BODY_BYTES + 1))
    expect = ("Expect", "100-continue")

    answers = answers_to(gateway, request_bytes("POST", path, [HOST, JSON_TYPE, length, expect]))

    # gunicorn asks for the body before the application sees the request.
    assert statuses(answers) == [100, 413]
    assert read_raw_refusal(path, answers[1]).verdict == invalid("body_too_large", 413)


@pytest.mark.parametrize("path", [CHAT, OPTIMIZE, COMPLETIONS])
def test_b14_waiting_with_a_good_body(gateway: Gateway, path: str) -> None:
    payload = posted(path, body_text(path), ("Expect", "100-continue"))

    assert statuses(answers_to(gateway, payload)) == [100, 200]


def test_b15_gunicorns_own_errors_reach_the_sdk(gateway: Gateway) -> None:
    sdk = OpenAI(base_url=f"{gateway.service.url}/v1", api_key="none", max_retries=0)

    with sdk, pytest.raises(APIStatusError) as caught:
        sdk.models.list(extra_headers={"X-Long": "x" * 9_000})

    error = caught.value
    assert (error.status_code, error.code) == (431, "headers_too_large")
    assert error.type == "invalid_request_error"
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
