"""Requests of any method and form to one origin."""

from collections.abc import Iterator

import pytest

from llm_api.domain.upstream_plans import Endpoint
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.response_body import read_body
from llm_api.upstream.http.vendor_transport import Outgoing, VendorTransport
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import KEY, PATIENT

GOOD = replies.json_reply(200, {"good": True})


@pytest.fixture
def transport(upstream: ScriptedUpstream, watch: DeadlineWatcher) -> Iterator[VendorTransport]:
    """Open a session with the scripted upstream."""
    opened = VendorTransport(Endpoint(upstream.url, "m", KEY), PATIENT, watch, 4)
    yield opened
    opened.close()


def ask(transport: VendorTransport, outgoing: Outgoing) -> bytes:
    """Send a request, and read its answer."""
    with transport.send(outgoing, UpstreamCall(total=20)) as response:
        return read_body(response)


def test_method_path_body_and_headers_arrive(
    upstream: ScriptedUpstream, transport: VendorTransport
) -> None:
    upstream.script(GOOD)

    ask(
        transport,
        Outgoing("POST", "/other/v3/x?y=1", b"abc", "text/plain", {"X-DashScope-Async": "enable"}),
    )

    [request] = upstream.requests
    assert (request.method, request.path, request.body) == ("POST", "/other/v3/x?y=1", b"abc")
    assert request.header("Content-Type") == "text/plain"
    assert request.header("X-DashScope-Async") == "enable"
    assert request.header("Authorization") == f"Bearer {KEY}"
    assert request.header("Host") == upstream.url.removeprefix("http://").removesuffix("/v1")
    assert request.header("Accept-Encoding") == "identity"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_question_has_no_body(
    upstream: ScriptedUpstream, transport: VendorTransport, method: str
) -> None:
    upstream.script(GOOD)

    ask(transport, Outgoing(method, "/v1/tasks/7"))

    [request] = upstream.requests
    assert (request.method, request.body) == (method, b"")
    assert request.header("Content-Type") is None
    assert request.header("Content-Length") is None


def test_an_empty_post_has_its_length(
    upstream: ScriptedUpstream, transport: VendorTransport
) -> None:
    upstream.script(GOOD)

    ask(transport, Outgoing("POST", "/v1/tasks/7/cancel"))

    assert upstream.requests[0].header("Content-Length") == "0"


def test_a_large_body_arrives_whole(upstream: ScriptedUpstream, transport: VendorTransport) -> None:
    body = bytes(range(256)) * 40_000
    upstream.script(GOOD)

    ask(transport, Outgoing("POST", "/v1/x", body))

    assert upstream.requests[0].body == body


def test_questions_share_a_connection_and_orders_do_not(
    upstream: ScriptedUpstream, transport: VendorTransport
) -> None:
    upstream.script(*[GOOD] * 5)

    for method in ("GET", "GET", "POST", "POST", "GET"):
        ask(transport, Outgoing(method, "/v1/x"))

    assert upstream.connections == 3


def test_it_is_told_before_the_first_byte_leaves(
    upstream: ScriptedUpstream, transport: VendorTransport
) -> None:
    received: list[int] = []
    upstream.script(GOOD)

    ask(
        transport,
        Outgoing("POST", "/v1/x", on_sent=lambda: received.append(len(upstream.requests))),
    )

    assert received == [0]


def test_what_is_raised_then_leaves_nothing_behind(
    upstream: ScriptedUpstream, transport: VendorTransport
) -> None:
    def forbid() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        ask(transport, Outgoing("POST", "/v1/x", on_sent=forbid))
    upstream.script(GOOD)

    assert ask(transport, Outgoing("POST", "/v1/x")) == b'{"good": true}'
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("target", ["x", "/a b", "/a\r\nX: y", "", "/ü"])
def test_what_is_no_address_is_not_asked(transport: VendorTransport, target: str) -> None:
    with pytest.raises(faults.Fault):
        ask(transport, Outgoing("GET", target))
