"""A21 to A26: bodies that are too large, too slow, or not there."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_api.web.request.body import MAX_BODY_BYTES
from tests.faults.gateway import Gateway, faulty_service, held_to_all_invariants
from tests.hardening.sending import (
    BODY_ROUTES,
    announced,
    answers_to,
    chunked,
    invalid,
    posted,
    refusal_of,
)
from tests.support.live import LiveAnswer
from tests.support.replies import json_reply
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.openai_calls import EMBEDDINGS_ANSWER, TEXT_ANSWER
from tests.web.refusals import CHAT, EMBEDDINGS, TEXT, body_text, read_refusal
from tests.web.streams import PATIENCE, inside

on_every_route = pytest.mark.parametrize("path", BODY_ROUTES)
HALF = b'{"messages"'
Framing = Callable[[str, bytes], bytes]
in_both_framings = pytest.mark.parametrize("framing", [posted, chunked])


def filled(path: str, length: int) -> bytes:
    """Build a good body of exactly so many bytes."""
    return body_text(path).ljust(length)


@on_every_route
def test_a21_announced_too_large(gateway: Gateway, path: str) -> None:
    # Not a byte of it is sent: it must be refused without being read.
    refusal = refusal_of(gateway, path, announced(path, MAX_BODY_BYTES + 1))

    assert refusal.verdict == invalid("body_too_large", 413)


@on_every_route
def test_a22_chunked_too_large(gateway: Gateway, path: str) -> None:
    refusal = refusal_of(gateway, path, chunked(path, filled(path, MAX_BODY_BYTES + 1)))

    assert refusal.verdict == invalid("body_too_large", 413)


@on_every_route
def test_a22_chunked_without_end(gateway: Gateway, path: str) -> None:
    # Whole chunks, far over the limit, and no last one: the service must not wait for it.
    endless = chunked(path, b" " * (MAX_BODY_BYTES + (4 << 20))).removesuffix(b"0\r\n\r\n")

    assert refusal_of(gateway, path, endless).verdict == invalid("body_too_large", 413)


def test_a24_half_a_body_then_silence(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    timings = Timings(body=3.0)
    with (
        faulty_service(tmp_path, upstream, {}, timings) as service,
        held_to_all_invariants(service, upstream) as gateway,
    ):
        assert reasons_of_silence(gateway) == ["body_timeout"] * len(BODY_ROUTES)


def reasons_of_silence(gateway: Gateway) -> list[str]:
    """Send half a body to every route, and return why each was refused."""

    def silent(path: str) -> str:
        with LiveAnswer(
            gateway.service.address, announced(path, 1_000, HALF), timeout=PATIENCE
        ) as answer:
            refusal = read_refusal(path, answer.status, answer.headers, answer.read_body())
            assert answer.closes()
            return refusal.reason

    with ThreadPoolExecutor(len(BODY_ROUTES)) as clients:
        reasons = [clients.submit(silent, path) for path in BODY_ROUTES]
        wait_until(
            lambda: inside(gateway.service)["watched"] == len(BODY_ROUTES),
            PATIENCE,
            "all are waited for",
        )
        gateway.succeed()  # the others are served meanwhile
        assert not [one for one in reasons if one.done()]

    return [one.result() for one in reasons]


@on_every_route
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a25_disconnect_in_mid_body(gateway: Gateway, path: str, framing: str) -> None:
    seen = len(gateway.service.log_records())
    whole = announced(path, 1_000, HALF) if framing == "length" else chunked(path, HALF)

    with socket.create_connection(gateway.service.address) as connection:
        connection.sendall(whole.removesuffix(b"0\r\n\r\n"))

    def of_this_request() -> list[str]:
        lines = gateway.service.log_records()[seen:]
        return [line["level"] for line in lines if line.get("reason") == "body_unreadable"]

    wait_until(of_this_request, PATIENCE, "the service notices")
    assert of_this_request() == ["INFO"]
    assert gateway.upstream.requests == []


@on_every_route
@in_both_framings
def test_a26_as_large_as_allowed(gateway: Gateway, path: str, framing: Framing) -> None:
    good = {TEXT: TEXT_ANSWER, EMBEDDINGS: EMBEDDINGS_ANSWER}
    if path in good:
        gateway.upstream.script(json_reply(200, good[path]))

    answers = answers_to(gateway, framing(path, filled(path, MAX_BODY_BYTES)))

    assert [answer.status for answer in answers] == [200]


@on_every_route
@in_both_framings
def test_a26_one_byte_more(gateway: Gateway, path: str, framing: Framing) -> None:
    refusal = refusal_of(gateway, path, framing(path, filled(path, MAX_BODY_BYTES + 1)))

    assert refusal.verdict == invalid("body_too_large", 413)


def test_a_refused_client_that_goes_on_dribbling_is_cut_off(gateway: Gateway) -> None:
    with socket.create_connection(gateway.service.address, timeout=PATIENCE) as connection:
        connection.sendall(announced(CHAT, MAX_BODY_BYTES + 1))
        wait_until(lambda: connection.recv(4096, socket.MSG_PEEK), PATIENCE, "the refusal arrives")

        def is_cut_off() -> bool:
            try:
                connection.sendall(b" ")
            except ConnectionError:
                return True
            return False

        wait_until(is_cut_off, PATIENCE, "the service stops listening to whom it has refused")
