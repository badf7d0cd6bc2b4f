"""Which requests are traced, whose word counts for that, and when prompts are in traces."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.support import replies
from tests.support.collector import OtlpCollector, SeenSpan
from tests.support.upstream import ScriptedUpstream

CHAT, COMPLETIONS = "/api/v1/llm/chat", "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Where is the heron?"}]}
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
TracedOf = Callable[..., FlaskClient]


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    """Run a receiver for one test."""
    with OtlpCollector() as running:
        yield running


@pytest.fixture
def traced_of(app_of: AppOf, upstream_env: dict[str, str], collector: OtlpCollector) -> TracedOf:
    """Build applications that trace, each with more settings."""

    def build(**env: str) -> FlaskClient:
        url = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        app = app_of({**upstream_env, **url, **env})
        app.extensions["llm_api_traces"].start()
        return app.test_client()

    return build


def spans_of(client: FlaskClient, collector: OtlpCollector) -> list[SeenSpan]:
    """End the tracing of an application, and return the spans that it has sent."""
    client.application.extensions["llm_api_traces"].close()
    return collector.spans()


def messages(span: SeenSpan, direction: str) -> list[dict[str, Any]]:
    """Return the messages in a span."""
    found: list[dict[str, Any]] = json.loads(span.attributes[f"gen_ai.{direction}.messages"])
    return found


def test_prompts_and_answers_are_in_traces_where_that_is_switched_on(
    traced_of: TracedOf, collector: OtlpCollector, upstream: ScriptedUpstream
) -> None:
    client = traced_of(TRACE_PROMPTS="true")
    upstream.script(replies.completion("By the water."))
    client.post(CHAT, json=HELLO)
    streamed_body = {**HELLO, "model": "scripted", "stream": True}
    client.post(COMPLETIONS, json=streamed_body, buffered=True)

    _, whole, _, streamed = spans_of(client, collector)

    asked = {"role": "user", "parts": [{"type": "text", "content": "Where is the heron?"}]}
    assert messages(whole, "input") == messages(streamed, "input") == [asked]
    told = {"role": "assistant", "parts": [{"type": "text", "content": "By the water."}]}
    assert messages(whole, "output") == [{**told, "finish_reason": "stop"}]
    parts = messages(streamed, "output")[0]["parts"]
    assert parts == [{"type": "text", "content": "Hello"}]


def test_a_trusted_proxy_decides_on_a_trace(traced_of: TracedOf, collector: OtlpCollector) -> None:
    client = traced_of(TRUSTED_PROXIES="1")
    client.post(CHAT, json=HELLO, headers=SAMPLED)

    assert [span.trace_id for span in spans_of(client, collector)] == [TRACE_ID] * 2


def test_nobody_else_does(traced_of: TracedOf, collector: OtlpCollector) -> None:
    client = traced_of(OTEL_TRACES_SAMPLER_ARG="0")
    client.post(CHAT, json=HELLO, headers=SAMPLED)

    assert spans_of(client, collector) == []


def test_what_is_not_sampled_is_passed_on_all_the_same(
    traced_of: TracedOf, collector: OtlpCollector, upstream: ScriptedUpstream
) -> None:
    client = traced_of(OTEL_TRACES_SAMPLER="always_off")
    upstream.script(replies.api_error(503), replies.completion())
    client.post(CHAT, json=HELLO)

    heads = [dict(request.headers) for request in upstream.requests]
    named = [{name.lower(): value for name, value in head.items()} for head in heads]
    assert spans_of(client, collector) == []
    assert len({one["traceparent"] for one in named}) == 1
    assert int(named[0]["traceparent"].split("-")[3], 16) & 1 == 0
    assert all("x-client-request-id" in one for one in named)


def test_without_a_collector_nothing_is_traced_or_passed_on(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    app = app_of(upstream_env)
    app.extensions["llm_api_traces"].start()
    app.test_client().post(CHAT, json=HELLO, headers=SAMPLED)

    (request,) = upstream.requests
    assert "traceparent" not in {name.lower() for name, _ in request.headers}
