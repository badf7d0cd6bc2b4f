"""What browsers are told: headers of every answer, and CORS for the origins that are configured."""

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from tests.conftest import AppOf
from tests.support.raw import exchange, request_bytes, responses
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, good_body

OURS, OTHER = "https://app.example", "https://evil.example"
STRICT = "default-src 'none'; frame-ancestors 'none'"
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture
def opened(app_of: AppOf, upstream_env: dict[str, str]) -> FlaskClient:
    """Return a client of a service that lets pages of two origins call it."""
    return app_of(upstream_env | {"CORS_ORIGINS": f"{OURS}, http://localhost:3000"}).test_client()


def preflight(client: FlaskClient, path: str, origin: str, headers: str = "") -> Headers:
    """Ask as a browser does before it sends a call; return the headers of a good answer."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = client.options(path, headers=asked | {"Access-Control-Request-Headers": headers})
    assert (answer.status_code, answer.data) == (204, b"")
    return answer.headers


def allowing(headers: Headers) -> list[str]:
    """Return the CORS headers of an answer."""
    return [name for name in headers.keys() if name.startswith("Access-Control-")]  # noqa: SIM118  # not a dictionary


@pytest.mark.parametrize(
    "path",
    ["/", "/docs/", "/openapi.json", "/healthz", "/v1/models", "/nothing", "/static/icon.svg"],
)
def test_every_answer_has_the_headers_that_protect_a_browser(
    client: FlaskClient, path: str
) -> None:
    headers = client.get(path, buffered=True).headers

    assert {name: headers[name] for name in EVERYWHERE} == EVERYWHERE
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert all(len(headers.getlist(name)) == 1 for name in headers.keys())  # noqa: SIM118  # the same


@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/usage", "/healthz", "/v1/nothing"])
def test_an_answer_in_json_runs_nothing_and_is_stored_nowhere(
    client: FlaskClient, path: str
) -> None:
    headers = client.get(path).headers

    assert headers["Content-Security-Policy"] == STRICT
    assert headers["Cache-Control"] == "no-store"


def test_a_stream_keeps_what_it_tells_caches(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"stream": True})

    assert answer.headers.getlist("Cache-Control") == ["no-cache"]
    assert answer.headers["Content-Security-Policy"] == STRICT
    assert len(upstream.requests) == 1
    answer.close()


def test_the_server_does_not_tell_its_version(sound_service: Service) -> None:
    payloads = [
        request_bytes("GET", "/healthz", [("Host", "h"), ("Connection", "close")]),
        b"GET / HTP/9\r\n\r\n",
    ]

    for payload in payloads:
        [answer] = responses(exchange(sound_service.address, payload))
        server = next((value for name, value in answer.headers if name == "Server"), "")
        assert not any(sign.isdigit() for sign in server)


@pytest.mark.parametrize("path", CHATS)
def test_no_page_may_call_unless_it_is_configured(client: FlaskClient, path: str) -> None:
    asked = {"Origin": OURS, "Access-Control-Request-Method": "POST"}

    answers = [
        client.options(path, headers=asked),
        client.post(path, json=good_body(path), headers={"Origin": OURS}),
    ]

    for answer in answers:
        assert allowing(answer.headers) == []
        assert "Vary" not in answer.headers


@pytest.mark.parametrize("origin", [OURS, "http://localhost:3000"])
@pytest.mark.parametrize("path", CHATS)
def test_a_page_of_a_configured_origin_may_call(
    opened: FlaskClient, path: str, origin: str
) -> None:
    asked = preflight(opened, path, origin)
    answer = opened.post(path, json=good_body(path), headers={"Origin": origin})

    assert answer.status_code == 200
    for headers in (asked, answer.headers):
        assert headers["Access-Control-Allow-Origin"] == origin
        assert headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in headers
    assert asked["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert asked["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    "origin",
    [OTHER, "null", "", "https://app.example.evil.example", "http://app.example", f"{OURS}:444"],
)
def test_a_page_of_another_origin_may_not(opened: FlaskClient, origin: str) -> None:
    answers = [
        preflight(opened, CHAT, origin),
        opened.get("/v1/models", headers={"Origin": origin}).headers,
    ]

    for headers in answers:
        assert allowing(headers) == []
        assert headers["Vary"] == "Origin"


def test_a_page_may_send_the_headers_that_the_service_reads(opened: FlaskClient) -> None:
    ours = {"authorization", "content-type", "idempotency-key", "x-usage-tags", "x-lineage-id"}
    ours |= {"x-request-timeout", "x-stainless-lang", "x-stainless-retry-count"}
    asked = [*ours, "x-evil", "cookie", "x-stainless-\r", "x-forwarded-for"]

    headers = preflight(opened, CHAT, OURS, ", ".join(asked).replace("\r", "%"))

    allowed = set(headers["Access-Control-Allow-Headers"].split(", "))
    assert ours <= allowed
    assert not allowed & {"x-evil", "cookie", "x-forwarded-for", "x-stainless-%", "*"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/nothing", 404), ("/api/v1/nothing", 404), (COMPLETIONS, 405), ("/v1/models", 429)],
)
def test_a_page_may_read_errors_too(
    app_of: AppOf, upstream_env: dict[str, str], path: str, status: int
) -> None:
    limit = "1/hour" if status == 429 else "1000/hour"
    env = upstream_env | {"CORS_ORIGINS": OURS, "RATE_LIMIT": limit}
    client = app_of(env).test_client()
    client.get("/v1/models")

    answer = client.get(path, headers={"Origin": OURS})

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"x-request-id", "retry-after", "retry-after-ms", "server-timing"} <= set(exposed)


def test_a_page_may_read_that_the_service_is_full(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    env = upstream_env | {"CORS_ORIGINS": OURS, "MAX_CALLS_IN_PROGRESS": "1"}
    client = app_of(env).test_client()
    first = client.get("/v1/models", buffered=False)

    refused = client.get("/v1/models", headers={"Origin": OURS})
    asked = preflight(client, CHAT, OURS)
    first.close()

    assert refused.status_code == 503
    for headers in (refused.headers, asked):
        assert headers["Access-Control-Allow-Origin"] == OURS
        assert {name: headers[name] for name in EVERYWHERE} == EVERYWHERE


def test_preflights_use_up_nothing(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    env = upstream_env | {"CORS_ORIGINS": OURS, "RATE_LIMIT": "1/hour"}
    env |= {"REQUIRE_API_KEY": "true", "API_KEYS": "app=b1946ac92492d2347c6235b4d2611184"}
    client = app_of(env).test_client()

    for origin in [OURS, OTHER] * 5:
        preflight(client, CHAT, origin)

    key = {"Authorization": "Bearer b1946ac92492d2347c6235b4d2611184"}
    assert client.get("/v1/models", headers=key).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/docs/", "/openapi.json"])
def test_pages_and_probes_are_for_no_other_origin(opened: FlaskClient, path: str) -> None:
    assert allowing(opened.get(path, headers={"Origin": OURS}).headers) == []
