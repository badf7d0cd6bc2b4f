"""Which traces are sampled: by their ids, as every service decides that samples by a share."""

import time

from llm_api.domain.tracing import TracingPlan
from llm_api.observability.tracing.traces import Traces
from tests.support.collector import OtlpCollector

HALF = 1 << 63  # of the lower 64 bits of an id


def test_a_share_of_traces_is_sampled_by_their_ids() -> None:
    with OtlpCollector() as collector:
        traces = Traces(TracingPlan(f"{collector.url}/v1/traces", {}, share=0.5))
        traces.start()
        made = [traces.request({}, time.time_ns()) for _ in range(400)]
        for one in made:
            assert one is not None
            one.end_request(200, None)
        traces.close()

    lower = {one.trace_id: int(one.trace_id, 16) & (2 * HALF - 1) for one in made if one}
    sampled = {one.trace_id for one in made if one and one.is_sampled}
    assert 100 < len(sampled) < 300
    assert sampled == {trace_id for trace_id, value in lower.items() if value < HALF}
    assert {span.trace_id for span in collector.spans()} == sampled
    assert len(lower) == 400
