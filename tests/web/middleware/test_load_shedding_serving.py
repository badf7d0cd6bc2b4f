"""The cap on calls in progress, under gunicorn: clients wait, leave and are turned away."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.paced import Gated, held_completion
from tests.support.raw import exchange, request_bytes, responses
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, JSON_TYPE, good_body, read_refusal
from tests.web.streams import HELLO, PATIENCE, ask, frame, inside, log_lines

PLACES = 8
OVERLOADED = (503, "SERVICE_ERROR", "overloaded", True)
UNREAD = request_bytes(
    "POST", COMPLETIONS, [("Host", "service"), JSON_TYPE, ("Content-Length", "100000")], b"{"
)


@pytest.fixture(scope="module")
def streaming_env() -> Mapping[str, str]:
    """Let few calls in; one more may wait."""
    return {"MAX_CALLS_IN_PROGRESS": str(PLACES)}


@pytest.fixture
def held(service_upstream: ScriptedUpstream) -> Iterator[Gated]:
    """Let the upstream hold as many calls as there are places."""
    reply = held_completion()
    service_upstream.script(*[reply] * PLACES)
    yield reply
    reply.let_go(PLACES)
    service_upstream.close_connections()  # which the service has kept for later


@pytest.fixture
def crowd(
    sound: Service, service_upstream: ScriptedUpstream, held: Gated
) -> Iterator[list[LiveAnswer]]:
    """Make as many calls as there are places; all of them have reached the upstream."""
    with ExitStack() as stack:
        calls = [stack.enter_context(ask(sound, stream=False)) for _ in range(PLACES)]
        wait_until(lambda: len(service_upstream.requests) == PLACES, PATIENCE, "all are in")
        yield calls
        held.let_go(PLACES)
        assert [one.status for one in calls] == [200] * PLACES


def call(service: Service, path: str) -> LiveAnswer:
    """Make a call to a route."""
    body = json.dumps(good_body(path)).encode()
    headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body)))]
    return LiveAnswer(service.address, request_bytes("POST", path, headers, body))


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.usefixtures("crowd")
def test_who_gets_no_place_is_refused_and_nothing_is_asked_of_the_upstream(
    sound: Service, service_upstream: ScriptedUpstream, path: str
) -> None:
    with call(sound, path) as answer:
        body = answer.read_body()

        refusal = read_refusal(path, answer.status, answer.headers, body)
        assert refusal.verdict == OVERLOADED
        assert answer.header("Retry-After") == "1"
        assert log_lines(sound, answer) == []
        assert len(service_upstream.requests) == PLACES


def test_of_many_at_once_no_more_than_there_are_places_reach_the_upstream(
    sound: Service, service_upstream: ScriptedUpstream, held: Gated
) -> None:
    with ExitStack() as stack:
        calls = [stack.enter_context(ask(sound, stream=False)) for _ in range(5 * PLACES)]
        wait_until(lambda: len(service_upstream.requests) == PLACES, PATIENCE, "so many are in")
        wait_until(lambda: not inside(sound)["queued"], PATIENCE, "nobody waits")
        assert len(service_upstream.requests) == PLACES
        held.let_go(PLACES)
        statuses = sorted(one.status for one in calls)

    assert statuses == [200] * PLACES + [503] * 4 * PLACES


@pytest.mark.usefixtures("crowd")
def test_who_waits_is_served_when_a_place_is_free(sound: Service, held: Gated) -> None:
    with ask(sound, stream=False) as waiting:
        wait_until(lambda: inside(sound)["queued"], PATIENCE, "it waits")
        held.let_go()

        assert waiting.status == 200
        assert not (waiting.header("Server-Timing") or "").startswith("queue;dur=0.0")


@pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.usefixtures("crowd")
def test_who_leaves_while_it_waits_is_not_served(
    sound: Service, service_upstream: ScriptedUpstream, held: Gated, *, with_reset: bool
) -> None:
    with ask(sound, stream=False) as waiting:
        wait_until(lambda: inside(sound)["queued"], PATIENCE, "it waits")
        waiting.leave(with_reset=with_reset)
        held.let_go(PLACES)
        wait_until(lambda: inside(sound)["free"] == PLACES, PATIENCE, "all have ended")

    assert len(service_upstream.requests) == PLACES


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs/", "/openapi.json"])
@pytest.mark.usefixtures("crowd")
def test_probes_are_answered_while_all_places_are_taken(sound: Service, path: str) -> None:
    payload = request_bytes("GET", path, [("Host", "service")])

    with LiveAnswer(sound.address, payload) as answer:
        assert answer.status == 200


def test_a_stream_holds_its_place_to_its_end(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    reply = Gated([frame(HELLO), frame("[DONE]")])
    service_upstream.script(reply)
    reply.let_go()

    with ask(sound) as answer:
        answer.read_event()
        assert inside(sound)["free"] == PLACES - 1
        reply.let_go()
        answer.read_events()

    wait_until(lambda: inside(sound)["free"] == PLACES, PATIENCE, "the place is free")


@pytest.mark.usefixtures("crowd")
def test_a_connection_goes_on_after_a_refusal(sound: Service) -> None:
    last = [("Host", "service"), ("Connection", "close")]
    payload = request_bytes("POST", CHAT, [("Host", "service"), ("Content-Length", "2")], b"{}")
    payload += request_bytes("GET", "/healthz", last)

    answers = responses(exchange(sound.address, payload, timeout=PATIENCE))

    assert [answer.status for answer in answers] == [503, 200]


def test_a_body_that_never_comes_holds_no_place_after_its_client_has_left(sound: Service) -> None:
    with LiveAnswer(sound.address, UNREAD) as answer:
        wait_until(lambda: inside(sound)["free"] == PLACES - 1, PATIENCE, "it has a place")
        answer.leave()
        wait_until(lambda: inside(sound)["free"] == PLACES, PATIENCE, "the place is free")


def test_a_fault_of_the_upstream_gives_the_place_back(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    for reply in [replies.close_before_answer(), replies.api_error(500), replies.sse([HELLO])]:
        service_upstream.script(*[reply] * 2)
        with ask(sound) as answer:
            answer.read_body()

    wait_until(lambda: inside(sound)["free"] == PLACES, PATIENCE, "the place is free")
