"""The client's address behind proxies: no client chooses its own."""

import json
import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.types import StartResponse

import pytest
from werkzeug.test import Client

from llm_api.web.middleware.trusted_proxies import TrustedProxies, address_in
from tests.conftest import AppOf
from tests.support.tables import each

PROXY = "10.0.0.1"


def seen(count: int, *values: str, peer: str = PROXY, **more: str) -> dict[str, str]:
    """Return what the application sees of a request with a header, whose lines are joined."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        facts = {"address": environ["REMOTE_ADDR"], "scheme": environ["wsgi.url_scheme"]}
        return [json.dumps(facts | {"host": environ["HTTP_HOST"]}).encode()]

    environ = {"REMOTE_ADDR": peer, **more}
    if values:
        environ["HTTP_X_FORWARDED_FOR"] = ",".join(values)
    return json.loads(Client(TrustedProxies(app, count)).get("/", environ_overrides=environ).data)


@each(
    ("count", "value", "address"),
    [
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "198.51.100.1, 192.0.2.7", "192.0.2.7"),
        (2, "192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (2, "198.51.100.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (1, "198.51.100.1,192.0.2.7", "192.0.2.7"),
        (1, " \t192.0.2.7 ", "192.0.2.7"),
        (1, "2001:DB8::7", "2001:db8::7"),
        (1, "192.0.2.7:55000", "192.0.2.7"),
        (1, "[2001:db8::7]:55000", "2001:db8::7"),
        (1, "[2001:db8::7]", "2001:db8::7"),
        (1, "::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_the_value_that_the_outermost_proxy_wrote_is_taken(
    count: int, value: str, address: str
) -> None:
    assert seen(count, value)["address"] == address


@each(
    ("count", "value"),
    [
        (2, "198.51.100.1"),
        (1, ""),
        (1, ","),
        (1, "unknown"),
        (1, "_hidden"),
        (1, "198.51.100.1, unknown"),
        (1, "192.0.2.999"),
        (1, "192.0.2.7:x:y"),
        (1, "' OR 1=1--"),
        (1, "for=192.0.2.7"),
        (1, "3221225985"),
        (1, "9" * 8_000),
        (1, "[" * 8_000),
    ],
)
def test_where_there_is_no_address_the_peer_counts(count: int, value: str) -> None:
    assert seen(count, value)["address"] == PROXY


@each("count", [1, 2])
@each("mark", ['"', '"x', 'x"', '\\"', '"a", "', "(", "<"])
def test_no_mark_of_the_client_hides_what_the_proxies_write(count: int, mark: str) -> None:
    written = ["192.0.2.7", "10.0.0.2"][:count]

    assert seen(count, f"198.51.100.1, {mark}", *written)["address"] == "192.0.2.7"


def test_several_lines_of_the_header_are_one_list() -> None:
    assert seen(1, "198.51.100.1", "198.51.100.2", "192.0.2.7")["address"] == "192.0.2.7"


@each(
    ("count", "value", "scheme"),
    [
        (1, "https", "https"),
        (1, "http, https", "https"),
        (2, "https, http", "https"),
        (2, "https", "https"),
        (1, "HTTPS", "https"),
        (1, "javascript", "http"),
        (1, "", "http"),
    ],
)
def test_the_proxy_tells_whether_the_client_speaks_tls(count: int, value: str, scheme: str) -> None:
    assert seen(count, HTTP_X_FORWARDED_PROTO=value)["scheme"] == scheme


@each("name", ["HOST", "PORT", "PREFIX", "SERVER"])
def test_no_other_forwarded_header_changes_anything(name: str) -> None:
    facts = seen(1, "192.0.2.7", **{f"HTTP_X_FORWARDED_{name}": "evil.example"})

    assert facts == {"address": "192.0.2.7", "scheme": "http", "host": "localhost"}


@each("text", ["", ":", "[]", "[", "]", "[::1", "::1]", "::1::", "1.2.3.4:5:6", "\0", "é"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert address_in(text) is None


@pytest.fixture
def told() -> Iterator[list[str]]:
    """Collect what the layers log; building an application takes pytest's own handler away."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(TrustedProxies.__module__)
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_a_proxy_before_a_service_without_keys_is_told_once(
    app_of: AppOf, upstream_env: dict[str, str], told: list[str], header: str
) -> None:
    client = app_of(upstream_env).test_client()

    client.get("/v1/models")
    assert told == []
    for _ in range(3):
        client.get("/v1/models", headers={header: "192.0.2.7"})

    (message,) = told
    assert "Set REQUIRE_API_KEY=true" in message


@pytest.mark.parametrize(
    "env",
    [
        {"REQUIRE_API_KEY": "true", "API_KEYS": "a=b1946ac92492d2347c6235b4d2611184"},
        {"TRUSTED_PROXIES": "1"},
    ],
)
def test_a_proxy_is_nothing_new_where_keys_are_required_or_it_is_known(
    app_of: AppOf, upstream_env: dict[str, str], told: list[str], env: dict[str, str]
) -> None:
    client = app_of(upstream_env | env).test_client()

    client.get("/v1/models", headers={"X-Forwarded-For": "192.0.2.7"})

    assert told == []
