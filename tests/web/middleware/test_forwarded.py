"""F2 of the fault matrix: under gunicorn, no header gives a client a fresh limit."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.storage.checkout import fast_upstream, own_service
from tests.support.raw import exchange, request_bytes, responses
from tests.support.service import Service

LIMIT = 3
OK, REFUSED = HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS
NAMES = (
    "X-Forwarded-For",
    "X_Forwarded_For",
    "Forwarded",
    "X-Real-IP",
    "Client-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Cluster-Client-IP",
    "Remote-Addr",
)


def limited_service(directory: Path, proxies: int) -> Service:
    """Prepare a service behind so many proxies, which lets few requests of a client pass."""
    env = {"RATE_LIMIT": f"{LIMIT}/hour", "TRUSTED_PROXIES": str(proxies)}
    return own_service(directory, fast_upstream("http://127.0.0.1:1/v1") | env)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service behind one proxy; each test has addresses of its own."""
    with limited_service(tmp_path_factory.mktemp("proxied"), 1) as running:
        yield running


def ask(service: Service, *headers: tuple[str, str]) -> int:
    """Return the status of a request with exactly these headers."""
    sent = [("Host", "service"), *headers, ("Connection", "close")]
    [answer] = responses(exchange(service.address, request_bytes("GET", "/v1/models", sent)))
    return answer.status


def until_refused(service: Service, *headers: tuple[str, str]) -> int:
    """Ask again and again with the same headers; return how many requests passed."""
    statuses = [ask(service, *headers) for _ in range(LIMIT + 1)]
    assert set(statuses[-1:]) == {REFUSED}
    return statuses.count(OK)


def test_without_proxies_no_header_makes_a_new_client(tmp_path: Path) -> None:
    with limited_service(tmp_path, 0) as service:
        passed = [ask(service, ("X-Forwarded-For", f"192.0.2.{n}")) for n in range(LIMIT)]
        refused = [
            ask(service, (name, f"for=192.0.2.{n}" if name == "Forwarded" else f"192.0.2.{n}"))
            for name in NAMES
            for n in range(2)
        ]

    assert passed == [OK] * LIMIT
    assert refused == [REFUSED] * 2 * len(NAMES)


def test_behind_a_proxy_the_value_that_it_wrote_is_the_client(proxied: Service) -> None:
    assert until_refused(proxied, ("X-Forwarded-For", "192.0.2.7")) == LIMIT

    for faked in ["198.51.100.1", "unknown", '"', "192.0.2.7, 198.51.100.2"]:
        assert ask(proxied, ("X-Forwarded-For", f"{faked}, 192.0.2.7")) == REFUSED
        lines = [("X-Forwarded-For", faked), ("X-Forwarded-For", "192.0.2.7")]
        assert ask(proxied, *lines) == REFUSED
    assert ask(proxied, ("X-Forwarded-For", "192.0.2.7, 198.51.100.1")) == OK


def test_behind_a_proxy_no_other_header_makes_a_new_client(proxied: Service) -> None:
    real = ("X-Forwarded-For", "192.0.2.8")
    assert until_refused(proxied, real) == LIMIT

    faked = [ask(proxied, real, (name, "198.51.100.9")) for name in NAMES[1:]]

    assert faked == [REFUSED] * len(faked)


def test_behind_a_proxy_that_wrote_no_address_the_proxy_is_the_client(proxied: Service) -> None:
    values = ["", "unknown", "192.0.2.999", "x" * 4_000, ",", "[::1", "192.0.2.9, _hidden"]

    statuses = [ask(proxied, ("X-Forwarded-For", value)) for value in values]

    assert statuses == [OK] * LIMIT + [REFUSED] * (len(values) - LIMIT)
    assert ask(proxied) == REFUSED


def test_behind_two_proxies_a_client_that_skips_one_counts_as_the_nearest(tmp_path: Path) -> None:
    with limited_service(tmp_path, 2) as service:
        assert until_refused(service, ("X-Forwarded-For", "192.0.2.7")) == LIMIT
        assert ask(service, ("X-Forwarded-For", "192.0.2.8")) == REFUSED
        assert ask(service, ("X-Forwarded-For", "192.0.2.8, 10.0.0.2")) == OK


def test_without_proxies_no_header_claims_tls(tmp_path: Path) -> None:
    claims = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Protocol", "ssl")]
    claims += [("X-Forwarded-Ssl", "on"), ("Front-End-Https", "on")]

    with limited_service(tmp_path, 0) as service:
        sent = [("Host", "service"), *claims, ("Connection", "close")]
        [page] = responses(exchange(service.address, request_bytes("GET", "/", sent)))

    assert b"http://service/" in page.body
    assert b"https://service/" not in page.body
