"""What browsers are told: headers of every answer, and CORS for the origins that are configured."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from llm_api.settings.settings import PROJECT_ROOT
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
    [
        "/",
        "/docs/",
        "/openapi.json",
        "/healthz",
        "/v1/models",
        "/nothing",
        "/console/static/0/icon.svg",
    ],
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
    assert asked["Access-Control-Allow-Methods"] == "GET, POST, PATCH, DELETE, OPTIONS"
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


# What browsers ask for, each in its own order and spacing, before a call of an SDK.
OF_SDKS = {
    "openai-node in Firefox": "authorization,content-type,user-agent,x-stainless-arch,"
    "x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,"
    "x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout",
    "openai-node in Safari": "Authorization, Content-Type, User-Agent, X-Stainless-Helper-Method",
    "openai-node in Chromium": "authorization,content-type,openai-beta,x-stainless-os",
    "the AI SDK": "authorization,content-type,user-agent",
    "LangChain with its own names": "api-key,authorization,content-type,x-title,http-referer",
    "a page with tracing": "authorization,baggage,content-type,sentry-trace,traceparent,tracestate",
    "Ark's SDK": "authorization,content-type,x-client-request-id,x-is-encrypted",
    "Azure's SDK": "api-key,content-type,x-ms-client-request-id,x-ms-useragent",
    "ours": "content-type,idempotency-key,x-lineage-id,x-request-timeout,x-usage-tags",
}


@pytest.mark.parametrize("asked", OF_SDKS.values(), ids=OF_SDKS)
@pytest.mark.parametrize("path", CHATS)
def test_a_page_may_send_every_header_that_its_sdk_sets(
    opened: FlaskClient, path: str, asked: str
) -> None:
    headers = preflight(opened, path, OURS, asked)

    allowed = set(headers["Access-Control-Allow-Headers"].split(", "))
    assert allowed == {name.strip() for name in asked.lower().split(",")}


def test_what_is_no_name_of_a_header_is_not_repeated(opened: FlaskClient) -> None:
    asked = "x-good, *, x evil, x-evil:1, (x), x-\u00e9vil, , authorization"

    headers = preflight(opened, CHAT, OURS, asked)

    assert headers["Access-Control-Allow-Headers"] == "x-good, authorization"


def test_a_page_that_sets_no_header_is_told_of_none(opened: FlaskClient) -> None:
    assert "Access-Control-Allow-Headers" not in preflight(opened, CHAT, OURS)


def test_another_origin_is_not_told_what_it_asked_for(opened: FlaskClient) -> None:
    headers = preflight(opened, CHAT, OTHER, "authorization,user-agent")

    assert allowing(headers) == []
    assert "user-agent" not in str(headers)


@pytest.mark.parametrize(("origin", "answer"), [(OURS, "true"), (OTHER, None)])
def test_a_page_may_call_a_service_in_its_own_network(
    opened: FlaskClient, origin: str, answer: str | None
) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }

    headers = opened.options(CHAT, headers=asked).headers

    assert headers.get("Access-Control-Allow-Private-Network") == answer
    assert "Access-Control-Allow-Private-Network" not in preflight(opened, CHAT, OURS)


def test_a_page_may_read_every_header_of_the_manual(opened: FlaskClient) -> None:
    page = (PROJECT_ROOT / "docs" / "openai-compatibility.md").read_text("utf-8")
    table = page.partition("## Response headers")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name.lower() for row in rows for name in re.findall("`([^`*]+)`", row)}

    answer = opened.post(COMPLETIONS, json=good_body(COMPLETIONS), headers={"Origin": OURS})

    assert len(named) > 10
    assert named <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))


def test_a_page_may_change_a_key(opened: FlaskClient) -> None:
    allowed = preflight(opened, "/api/v1/keys/key_0", OURS)["Access-Control-Allow-Methods"]

    assert {"PATCH", "DELETE"} <= set(allowed.split(", "))


def test_a_page_may_read_every_header_that_the_service_adds(opened: FlaskClient) -> None:
    sent = {"Origin": OURS, "Idempotency-Key": "a-page-repeats-its-call"}
    body = good_body(COMPLETIONS) | {"unheard_of": 1}
    answers = [opened.post(COMPLETIONS, json=body, headers=sent) for _ in range(2)]
    cached = {"Origin": OURS, "X-Cache-TTL": "60"}
    answers.append(opened.post(COMPLETIONS, json=body, headers=cached))

    exposed = set(answers[1].headers["Access-Control-Expose-Headers"].split(", "))
    # Those of HTTP itself, and of the protection of browsers.
    others = {"connection", "content-length", "content-type", "date", "server", "vary"}
    others |= {"content-security-policy", "cache-control"} | {name.lower() for name in EVERYWHERE}

    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[2].headers["x-cache"] == "miss"
    for answer in answers:
        names = {name.lower() for name, _ in answer.headers}
        assert {name for name in names if not name.startswith("access-control-")} <= (
            exposed | others
        )


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
