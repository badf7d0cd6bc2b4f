"""Requests as an attacker writes them, and what must come back."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.faults.gateway import Gateway
from tests.support.raw import RawResponse, exchange, request_bytes, responses
from tests.support.wire import chunk_bytes
from tests.web.refusals import (
    CHAT,
    JSON_TYPE,
    MODEL_ROUTES,
    OPTIMIZE,
    Refusal,
    read_raw_refusal,
)

ADMIN_KEY = "an-admins-key-of-the-tests-and-of-nobody-else"
AUTHORIZED = ("Authorization", f"Bearer {ADMIN_KEY}")
HOST = ("Host", "service")
CLOSE = ("Connection", "close")
BODY_ROUTES = (CHAT, OPTIMIZE, *MODEL_ROUTES)  # all that take a body
PATIENCE = 20.0
_PIECE_BYTES = 1 << 20


def sampled(cases: Iterable[Any], *kept: Any) -> list[Any]:
    """Leave the cases that are not `kept`, or not the first, to the exhaustive tier.

    In this process the same bodies are all sent in `tests/web/request`: here one is enough to see
    that gunicorn changes nothing about it.
    """
    several = list(cases)
    kept = kept or (several[0],)
    return [case if case in kept else _left_to_more(case) for case in several]


def _left_to_more(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.more)


def invalid(reason: str, status: int = 400) -> tuple[int, str, str, bool]:
    """Build the verdict on a request that stays wrong when repeated."""
    return (status, "VALIDATION_ERROR", reason, False)


def posted(
    path: str, body: bytes, *headers: tuple[str, str], media_type: tuple[str, str] = JSON_TYPE
) -> bytes:
    """Build a request whose length is told as it is."""
    length = ("Content-Length", str(len(body)))
    return request_bytes("POST", path, [HOST, CLOSE, media_type, length, *headers], body)


def announced(path: str, length: int, body: bytes = b"") -> bytes:
    """Build a request that announces so many bytes and carries some."""
    return request_bytes("POST", path, [HOST, JSON_TYPE, ("Content-Length", str(length))], body)


def chunked(path: str, body: bytes) -> bytes:
    """Build a request whose length is told piece by piece."""
    head = [HOST, CLOSE, JSON_TYPE, ("Transfer-Encoding", "chunked")]
    pieces = [body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES)]
    return b"".join(
        [request_bytes("POST", path, head), *map(chunk_bytes, pieces), chunk_bytes(b"")]
    )


def answers_to(gateway: Gateway, payload: bytes) -> list[RawResponse]:
    """Send bytes, and return all that comes until the service closes the connection, as it must."""
    address = gateway.service.address
    return responses(exchange(address, payload, timeout=PATIENCE, must_close=True))


def refusal_of(gateway: Gateway, path: str, payload: bytes) -> Refusal:
    """Send bytes that must be refused before any upstream hears of them; return how."""
    (answer,) = answers_to(gateway, payload)
    assert_unheard(gateway, [answer])
    return read_raw_refusal(path, answer)


def assert_unheard(gateway: Gateway, answers: Iterable[RawResponse]) -> None:
    """Assert that the upstream saw nothing, and that the books know nothing of these requests."""
    assert gateway.upstream.requests == []
    assert [
        row
        for answer in answers
        for row in gateway.rows("request_id", answer.header("x-request-id"))
    ] == []
