"""Traces of a real service with two workers, as a real receiver of OTLP gets them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.life.serving import CHAT, COMPLETIONS, HELLO, PATIENCE, prepared
from tests.support import replies
from tests.support.collector import OtlpCollector, SeenSpan
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

KEY = "key-5f0c1d7b9a3e48d6b2c4"
ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
PRIVATE_WORDS = "the heron waits"
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REWRITE = (
    "A cat sits on a wooden chair in a quiet room, watercolor style, soft window light from the"
    " left, warm muted colors, visible paper texture, eye-level framing with a blurred plain wall"
    " behind the chair."
)


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpCollector]:
    """Run a receiver for all tests of the file."""
    with OtlpCollector() as running:
        yield running


@pytest.fixture(scope="module")
def fast() -> Iterator[ScriptedUpstream]:
    """Run the first upstream."""
    with ScriptedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def backup() -> Iterator[ScriptedUpstream]:
    """Run the upstream that calls fall back to."""
    with ScriptedUpstream() as running:
        yield running


def settings(collector: OtlpCollector, backup: ScriptedUpstream) -> dict[str, str]:
    """Return the settings of a service that traces, and sends what it has at once."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=collector%2Ckey-7731",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "WEB_CONCURRENCY": "2",
        "CIRCUIT_BREAKER": "false",
        "REQUIRE_API_KEY": "true",
        "API_KEYS": f"shop={KEY}",
        "ADMIN_API_KEY": ADMIN_KEY,
        "EXTRA_UPSTREAMS": "backup",
        "BACKUP_LLM_API_URL": backup.url,
        "BACKUP_LLM_MODEL": "second",
        "FAST_LLM_FALLBACK": "backup",
    }


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    collector: OtlpCollector,
    fast: ScriptedUpstream,
    backup: ScriptedUpstream,
) -> Iterator[Service]:
    """Run a service with two workers for all tests of the file."""
    folder = tmp_path_factory.mktemp("traced")
    with prepared(folder, fast, settings(collector, backup)) as running:
        yield running


def post(
    service: Service, path: str, body: object = HELLO, key: str | None = KEY, **headers: str
) -> requests.Response:
    """Call the service; an underscore in the name of a header stands for a dash."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        named["Authorization"] = f"Bearer {key}"
    with requests.Session() as session:
        return session.post(service.url + path, json=body, headers=named, timeout=PATIENCE)


def trace_of(collector: OtlpCollector, answer: requests.Response) -> list[SeenSpan]:
    """Return the spans of a call, its own first."""
    return collector.trace_of(answer.headers["x-request-id"])


def test_a_call_is_a_server_span_with_its_attempt_below(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream
) -> None:
    body = {**HELLO, "model": "scripted", "temperature": 0.5, "max_tokens": 40, "stop": "END"}
    answer = post(service, COMPLETIONS, body)

    root, attempt = trace_of(collector, answer)

    assert (root.name, root.kind) == ("POST /v1/chat/completions", "SERVER")
    assert (root.parent_id, attempt.parent_id) == ("", root.id)
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "llm_api.request_id": answer.headers["x-request-id"],
        "llm_api.key_id": "env:shop",
    }
    assert (attempt.name, attempt.kind) == ("chat scripted", "CLIENT")
    own = {name: attempt.attributes.pop(name) for name in ["gen_ai.response.id"]}
    assert own == {"gen_ai.response.id": answer.json()["id"]}
    assert attempt.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "generic",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 40,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.response.model": "scripted",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": pytest.approx(0, abs=PATIENCE),
        "gen_ai.usage.input_tokens": answer.json()["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": answer.json()["usage"]["completion_tokens"],
        "server.address": "127.0.0.1",
        "server.port": fast.port,
        "llm_api.endpoint": "fast",
        "llm_api.attempt.number": 1,
    }
    assert not root.has_failed
    assert not attempt.has_failed
    assert root.started_s <= attempt.started_s <= attempt.ended_s <= root.ended_s


def test_the_service_says_who_it_is_and_has_the_headers_of_the_collector(
    service: Service, collector: OtlpCollector
) -> None:
    root = trace_of(collector, post(service, CHAT))[0]

    assert root.resource["service.name"] == "llm_api"
    assert root.resource["deployment.environment.name"] == "test"
    assert re.fullmatch(r"[0-9a-f-]{36}", root.resource["service.instance.id"])
    assert collector.headers[-1]["api-key"] == "collector,key-7731"
    assert "collector,key-7731" not in service.log()


def test_both_workers_send_their_spans(service: Service, collector: OtlpCollector) -> None:
    def workers() -> set[str]:
        post(service, CHAT)
        return {span.resource["service.instance.id"] for span in collector.spans()}

    wait_until(lambda: len(workers()) == 2, PATIENCE, "spans of both workers")


def test_the_log_line_of_a_call_has_the_id_of_its_trace(
    service: Service, collector: OtlpCollector
) -> None:
    answer = post(service, CHAT)
    root = trace_of(collector, answer)[0]

    request_id = answer.headers["x-request-id"]
    lines = [line for line in service.log_records() if line.get("request_id") == request_id]

    assert [line["trace_id"] for line in lines if line["message"] == "request"] == [root.trace_id]


def test_a_span_lasts_as_long_as_its_stream(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream
) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    counted = {**replies.chunk({}), "choices": [], "usage": usage}
    end = [replies.chunk({}, finish_reason="stop"), counted]
    fast.script(replies.sse([replies.chunk({"content": "la "})] * 5 + end, 0.1))
    answer = post(service, COMPLETIONS, {**HELLO, "model": "scripted", "stream": True})

    root, attempt = trace_of(collector, answer)

    # Six pauses of the upstream's.
    assert root.ended_s - root.started_s >= 0.5
    assert attempt.ended_s - attempt.started_s >= 0.5
    assert attempt.ended_s <= root.ended_s
    assert attempt.attributes["gen_ai.request.stream"] is True
    assert attempt.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert attempt.attributes["gen_ai.usage.output_tokens"] == 5
    first_chunk = attempt.attributes["gen_ai.response.time_to_first_chunk"]
    assert 0 < first_chunk < attempt.ended_s - attempt.started_s


def test_a_stream_that_breaks_has_failed_spans(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream
) -> None:
    fast.script(replies.sse([replies.chunk({"content": "la "})], done=False, ending="close"))
    answer = post(service, COMPLETIONS, {**HELLO, "model": "scripted", "stream": True})

    root, attempt = trace_of(collector, answer)

    assert root.attributes["http.response.status_code"] == 200
    assert (root.has_failed, attempt.has_failed) == (True, True)
    assert root.attributes["error.type"] == attempt.attributes["error.type"]


def test_a_retry_and_a_fallback_are_attempts_of_the_same_call(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream
) -> None:
    fast.script(*[replies.api_error(503, "overloaded", "Later.")] * 2)
    answer = post(service, CHAT)

    root, first, second, third = trace_of(collector, answer)

    assert answer.status_code == 200
    assert not root.has_failed
    assert {first.parent_id, second.parent_id, third.parent_id} == {root.id}
    assert [one.has_failed for one in (first, second, third)] == [True, True, False]
    reason = first.attributes["error.type"]
    assert second.attributes["llm_api.attempt.after"] == reason
    assert third.attributes["llm_api.attempt.after"] == second.attributes["error.type"]
    assert [one.attributes["llm_api.attempt.number"] for one in (first, second, third)] == [1, 2, 3]
    assert "llm_api.attempt.is_fallback" not in second.attributes
    assert third.attributes["llm_api.attempt.is_fallback"] is True
    assert third.name == "chat second"


def test_an_error_of_the_caller_fails_no_span(service: Service, collector: OtlpCollector) -> None:
    (root,) = trace_of(collector, post(service, CHAT, {"messages": []}))

    assert root.attributes["http.response.status_code"] == 400
    assert root.attributes["error.type"]
    assert not root.has_failed


def test_the_steps_of_a_rewrite_are_below_its_own_span(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream
) -> None:
    fast.script(replies.completion(json.dumps({"optimized_prompt": REWRITE})))
    body = {"prompt": "A cat sitting on a chair", "type": "image", "style": "watercolor"}
    answer = post(service, "/api/v1/llm/optimize-prompt", body)

    root, step, *attempts = trace_of(collector, answer)

    assert (step.name, step.kind, step.parent_id) == ("optimize_prompt", "INTERNAL", root.id)
    assert attempts
    assert {one.parent_id for one in attempts} == {step.id}


def test_pictures_that_are_made_behind_their_request_are_in_its_trace(
    service: Service, collector: OtlpCollector
) -> None:
    answer = post(service, "/api/v1/images/generate", {"prompt": "A cat", "model": "layout-sketch"})
    assert answer.status_code in {200, 202}, answer.text
    root = trace_of(collector, answer)[0]

    def step() -> SeenSpan | None:
        spans = (one for one in collector.spans() if one.trace_id == root.trace_id)
        return next((one for one in spans if one.name == "make_pictures"), None)

    wait_until(step, PATIENCE, "the span of the job")
    found = step()
    assert found is not None
    assert found.parent_id == root.id

    def logged() -> list[dict[str, Any]]:
        lines = service.log_records()
        return [one for one in lines if (one["message"], one.get("trace_id")) == about]

    about = "call", root.trace_id
    wait_until(logged, PATIENCE, "the log line of the job's call")


@pytest.mark.parametrize("flag", ["01", "00"])
def test_a_caller_with_a_key_decides_on_its_trace(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream, flag: str
) -> None:
    fast.clear()
    given = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-{flag}", "tracestate": "vendor=t61"}
    answer = post(service, CHAT, **given)

    (sent,) = fast.requests
    headers = {name.lower(): value for name, value in sent.headers}
    trace_id, span_id, sent_flag = headers["traceparent"].split("-")[1:]
    assert (trace_id, sent_flag) == (TRACE_ID, flag)
    assert headers["tracestate"] == "vendor=t61"
    if flag == "01":
        spans = trace_of(collector, answer)
        assert [span.parent_id for span in spans] == [PARENT_ID, spans[0].id]
        assert span_id == spans[1].id
    else:
        later = trace_of(collector, post(service, CHAT))[0]
        assert later.trace_id != TRACE_ID
        known = [span.attributes.get("llm_api.request_id") for span in collector.spans()]
        assert answer.headers["x-request-id"] not in known


@pytest.mark.parametrize(
    "value", ["", "x", f"00-{'0' * 32}-{PARENT_ID}-01", f"ff-{TRACE_ID}-{PARENT_ID}-01"]
)
def test_a_traceparent_that_is_none_begins_a_new_trace(
    service: Service, collector: OtlpCollector, value: str
) -> None:
    answer = post(service, CHAT, traceparent=value)

    root = trace_of(collector, answer)[0]

    assert (answer.status_code, root.parent_id) == (200, "")


def test_a_caller_without_a_key_decides_nothing(service: Service, collector: OtlpCollector) -> None:
    trace_id = TRACE_ID[::-1]
    answer = post(service, CHAT, key=None, traceparent=f"00-{trace_id}-{PARENT_ID}-01")

    (root,) = trace_of(collector, answer)

    assert answer.status_code == 401
    assert root.trace_id != trace_id
    assert root.parent_id == ""


def test_nothing_of_a_prompt_or_an_answer_is_in_a_trace(
    service: Service, collector: OtlpCollector, fast: ScriptedUpstream
) -> None:
    fast.script(replies.completion(PRIVATE_WORDS))
    body: dict[str, Any] = {"messages": [{"role": "user", "content": PRIVATE_WORDS}]}
    spans = trace_of(collector, post(service, CHAT, body))

    shown = json.dumps([[span.name, span.attributes] for span in spans])

    assert len(spans) == 2
    assert PRIVATE_WORDS not in shown
    assert KEY not in shown


def test_probes_and_pages_are_not_traced(service: Service, collector: OtlpCollector) -> None:
    with requests.Session() as session:
        assert session.get(service.url + "/healthz", timeout=PATIENCE).status_code == 200
    trace_of(collector, post(service, CHAT))

    assert {span.attributes.get("http.route") for span in collector.spans()}.isdisjoint(
        {"/healthz"}
    )


def test_the_last_spans_come_before_a_worker_ends(
    tmp_path: Path, collector: OtlpCollector, fast: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    slow = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "WEB_CONCURRENCY": "1"}
    with prepared(tmp_path, fast, settings(collector, backup) | slow) as service:
        answer = post(service, CHAT)

        assert service.terminate(PATIENCE) == 0

    assert len(trace_of(collector, answer)) == 2
