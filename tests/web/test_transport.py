"""Section B of the fault matrix: bytes that are no good HTTP, on real sockets."""

import pytest
from openai import APIStatusError, OpenAI

from llm_api.web.intake import MAX_BODY_BYTES
from tests.support.raw import RawResponse, exchange, request_bytes, responses
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, COMPLETIONS, JSON_TYPE, body_text, read_refusal

HOST = ("Host", "service")
CLOSE = ("Connection", "close")
GET = b"GET /healthz HTTP/1.1\r\nHost: service\r\n"
CLIENT_HELLO = bytes.fromhex("16030100050100000100") + b"\x03\x03" + bytes(64)
H2C_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")

pytestmark = pytest.mark.usefixtures("sound_service")


def chat_request(*headers: tuple[str, str], body: bytes = body_text(CHAT)) -> bytes:
    """Build a chat call whose framing is up to the test."""
    return request_bytes("POST", CHAT, [HOST, JSON_TYPE, *headers], body)


def ask(service: Service, payload: bytes) -> list[RawResponse]:
    """Send bytes, and return what came until the service closed; it must close by itself."""
    return responses(exchange(service.address, payload))


def statuses(answers: list[RawResponse]) -> list[int]:
    """Return the status of each answer."""
    return [answer.status for answer in answers]


def smuggled(first: bytes) -> bytes:
    """Put a second call behind one whose end is in doubt."""
    body = body_text(CHAT)
    return first + chat_request(("Content-Length", str(len(body))), CLOSE, body=body)


# --- B1 to B3: where a body ends ---


@pytest.mark.parametrize(
    "framing",
    [
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
        [("Content-Length", "5"), ("Content-Length", "5")],
        [("Content-Length", "5"), ("Content-Length", "6")],
        [("Content-Length", "+5")],
        [("Content-Length", "-1")],
        [("Content-Length", "1_0")],
        [("Transfer-Encoding", "chunked, chunked")],
        [("Transfer-Encoding", "\x0bchunked")],
    ],
    ids=lambda framing: " and ".join(f"{name}={value}" for name, value in framing),
)
def test_doubtful_framing_is_refused_and_nothing_behind_it_is_executed(
    service: Service, service_upstream: ScriptedUpstream, framing: list[tuple[str, str]]
) -> None:
    payload = smuggled(chat_request(*framing, body=b"0\r\n\r\n"))

    answers = ask(service, payload)

    assert statuses(answers) == [400]
    assert service_upstream.connections == 0


def test_an_unknown_transfer_encoding_is_refused(
    service: Service, service_upstream: ScriptedUpstream
) -> None:
    payload = smuggled(chat_request(("Transfer-Encoding", "xchunked"), body=b"0\r\n\r\n"))

    answers = ask(service, payload)

    assert statuses(answers) == [501]
    assert service_upstream.connections == 0


def test_a_transfer_encoding_in_http_1_0_is_refused(
    service: Service, service_upstream: ScriptedUpstream
) -> None:
    request = chat_request(("Transfer-Encoding", "chunked"), body=b"0\r\n\r\n")

    answers = ask(service, smuggled(request.replace(b"HTTP/1.1", b"HTTP/1.0", 1)))

    assert statuses(answers) == [400]
    assert service_upstream.connections == 0


@pytest.mark.parametrize("chunk", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"2\r\n{}xx0\r\n\r\n"])
def test_a_broken_chunk_is_refused_and_nothing_behind_it_is_executed(
    service: Service, service_upstream: ScriptedUpstream, chunk: bytes
) -> None:
    payload = smuggled(chat_request(("Transfer-Encoding", "chunked"), body=chunk))

    answers = ask(service, payload)

    assert statuses(answers) == [400]
    assert service_upstream.connections == 0


# --- B4 to B6: heads ---


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\nHost: service\n\n",
        GET + b"X-Folded: one\r\n two\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : service\r\n\r\n",
        GET + b"X-Nul: a\x00b\r\n\r\n",
        GET + b"Host: other\r\n\r\n",
    ],
    ids=["bare LF", "folded", "space before colon", "NUL", "two hosts"],
)
def test_a_malformed_head_is_refused(service: Service, head: bytes) -> None:
    # GET /nothing shows what the first bytes were taken for, should they be answered.
    answers = ask(service, head + b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert statuses(answers) == [400]


def test_a_header_that_is_too_long_is_refused(service: Service) -> None:
    answers = ask(service, GET + b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n")

    assert statuses(answers) == [431]


def test_too_many_headers_are_refused(service: Service) -> None:
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(100))

    answers = ask(service, GET + many + b"\r\n")

    assert statuses(answers) == [431]


def test_an_address_that_is_too_long_is_refused(service: Service) -> None:
    answers = ask(service, b"GET /%s HTTP/1.1\r\nHost: service\r\n\r\n" % (b"a" * 5_000))

    assert statuses(answers) == [414]


@pytest.mark.parametrize(
    "payload",
    [CLIENT_HELLO, H2C_PREFACE, GET.replace(b"1.1", b"9.9") + b"\r\n"],
    ids=["TLS", "HTTP/2", "HTTP/9.9"],
)
def test_another_protocol_is_refused_and_the_connection_closed(
    service: Service, payload: bytes
) -> None:
    # With \r\n\r\n, because a TLS hello is a line without an end.
    answers = ask(service, payload + b"\r\n\r\n")

    assert statuses(answers) == [400]


# --- B7 and B8: what is not executed, what is not believed ---


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [("/nothing", "application/json", 404), (CHAT, "text/plain", 415)],
)
def test_a_body_that_nobody_read_is_not_executed(
    service: Service, path: str, media_type: str, status: int
) -> None:
    body = GET + b"\r\n"
    length = ("Content-Length", str(len(body)))
    first = request_bytes("POST", path, [HOST, ("Content-Type", media_type), length], body)

    answers = ask(service, first + request_bytes("GET", "/readyz", [HOST, CLOSE]))

    assert statuses(answers) == [status, 200]
    assert answers[1].json["status"] == "ready"


@pytest.mark.parametrize(
    "header", [("SCRIPT_NAME", "/zz"), ("PATH_INFO", "/zz"), ("Script-Name", "/zz")]
)
def test_no_header_moves_the_application(service: Service, header: tuple[str, str]) -> None:
    answers = ask(service, request_bytes("GET", "/healthz", [HOST, CLOSE, header]))

    assert statuses(answers) == [200]


# --- B12 to B15: methods, expectations, and gunicorn's own errors ---


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", CHAT, 405),
        ("GET", COMPLETIONS, 405),
        ("DELETE", "/v1/models", 405),
        ("TRACE", CHAT, 405),
        ("TRACE", "/v1/models", 405),
    ],
)
def test_an_error_has_our_envelope_behind_gunicorn_too(
    service: Service, method: str, path: str, status: int
) -> None:
    (answer,) = ask(service, request_bytes(method, path, [HOST, CLOSE]))

    headers = {"Content-Type": answer.header("Content-Type")}
    headers |= {name: answer.header(name) for name in ("x-request-id", "request-id")}
    refusal = read_refusal(path, answer.status, headers, answer.body)
    assert (refusal.status, refusal.code) == (status, "VALIDATION_ERROR")
    assert bool(answer.header("Allow")) is (status == 405)


def test_head_is_answered_without_a_body(service: Service) -> None:
    received = exchange(service.address, request_bytes("HEAD", "/healthz", [HOST, CLOSE]))

    (answer,) = responses(received, to_head=True)
    assert (answer.status, answer.header("Content-Length")) == (200, "15")


def test_options_names_the_methods_of_a_path(service: Service) -> None:
    (answer,) = ask(service, request_bytes("OPTIONS", CHAT, [HOST, CLOSE]))

    assert answer.status == 200
    assert set((answer.header("Allow") or "").split(", ")) == {"OPTIONS", "POST"}


def test_the_service_is_no_proxy(service: Service) -> None:
    answers = ask(service, request_bytes("CONNECT", "example.org:443", [HOST, CLOSE]))

    assert statuses(answers)[0] in {400, 404, 405}


def test_an_unknown_expectation_is_refused(
    service: Service, service_upstream: ScriptedUpstream
) -> None:
    length = ("Content-Length", str(len(body_text(CHAT))))

    answers = ask(service, chat_request(length, CLOSE, ("Expect", "zzz")))

    assert statuses(answers) == [417]
    assert service_upstream.connections == 0


def test_a_client_that_waits_with_a_body_that_is_too_large_is_refused(service: Service) -> None:
    length = ("Content-Length", str(MAX_BODY_BYTES + 1))

    answers = ask(service, chat_request(length, ("Expect", "100-continue"), body=b""))

    # gunicorn asks for the body before the application sees the request.
    assert statuses(answers) == [100, 413]


def test_a_body_that_is_allowed_is_asked_for(service: Service) -> None:
    length = ("Content-Length", str(len(body_text(CHAT))))

    answers = ask(service, chat_request(length, CLOSE, ("Expect", "100-continue")))

    assert statuses(answers) == [100, 200]


def test_an_error_of_gunicorns_own_reaches_an_openai_sdk_with_its_status(service: Service) -> None:
    sdk = OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)

    with sdk, pytest.raises(APIStatusError) as caught:
        sdk.models.list(extra_headers={"X-Long": "x" * 9_000})

    assert caught.value.status_code == 431
