"""Attempts at making pictures are spans, too, and tell the vendor of their trace."""

import time

from llm_api.domain.calls import Caller, never
from llm_api.domain.tracing import TracingPlan
from llm_api.observability.tracing.traces import Traces
from tests.support import replies
from tests.support.collector import OtlpCollector
from tests.support.image_upstream import ImageVendor
from tests.upstream.images.painter import load, painter_of


def test_each_attempt_at_pictures_is_a_span() -> None:
    with (
        OtlpCollector() as collector,
        ImageVendor("openai") as vendor,
        painter_of("openai", vendor.url) as painter,
    ):
        plan = TracingPlan(f"{collector.url}/v1/traces", {}, shows_prompts=True)
        traces = Traces(plan)
        traces.start()
        vendor.on("create", replies.api_error(429, "rate_limit_exceeded"))
        trace = traces.request({}, time.time_ns())
        assert trace is not None
        caller = Caller("", "", trace=trace)
        call = painter.client.new_call(never, lambda: None, time_limit=20.0, caller=caller)
        painter.client.create(painter.fit(), 0, call, load, on_sent=lambda: None)
        trace.end_request(200, None)
        traces.close()

    root, refused, made = collector.spans()
    assert {refused.parent_id, made.parent_id} == {root.id}
    assert refused.attributes["error.type"] == made.attributes["llm_api.attempt.after"]
    assert refused.attributes["http.response.status_code"] == 429
    assert [bool(one.attributes.get("llm_api.attempt.said")) for one in (refused, made)] == [
        True,
        False,
    ]
    assert made.name.startswith("generate_content ")
    assert made.attributes["gen_ai.output.type"] == "image"
    assert made.attributes["gen_ai.provider.name"] == "openai"
    assert made.attributes["gen_ai.usage.output_tokens"] > 0
    assert "gen_ai.input.messages" not in made.attributes
    heads = [{n.lower(): v for n, v in one.headers} for one in vendor.creates]
    sent = [head["traceparent"].split("-")[2] for head in heads]
    assert sent == [refused.id, made.id]
