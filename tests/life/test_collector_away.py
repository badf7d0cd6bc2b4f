"""A collector that is away delays no call, and no end of the service."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.life.serving import PATIENCE, chat, prepared, stream
from tests.support import replies
from tests.support.collector import OtlpCollector
from tests.support.ports import LOOPBACK, free_port
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CALLS = 30
GRACE = 8
# Of each batch of two spans the package would wait for an answer, one after the other: 90 s here.
SMALL_BATCHES = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2", "OTEL_BSP_SCHEDULE_DELAY": "100"}
LOST = "traces are lost: the collector does not take them"
ENDLESS = replies.sse([replies.chunk({"content": "la "})] * 600, 0.1)


def settings(url: str, grace: int = GRACE) -> dict[str, str]:
    """Return the settings of a service that traces every call."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "SHUTDOWN_GRACE": str(grace), **SMALL_BATCHES}


@pytest.mark.parametrize(
    "illness",
    ["silence", *(pytest.param(one, marks=pytest.mark.more) for one in ("503", "refused"))],
)
def test_calls_and_the_end_do_not_wait_for_the_collector(
    tmp_path: Path, upstream: ScriptedUpstream, illness: str
) -> None:
    with OtlpCollector() as collector:
        collector.illness = illness
        url = f"http://{LOOPBACK}:{free_port()}" if illness == "refused" else collector.url
        with prepared(tmp_path, upstream, settings(url)) as service:
            began = time.monotonic()
            answers = [chat(service).status_code for _ in range(CALLS)]
            took = time.monotonic() - began

            assert answers == [200] * CALLS
            assert took < PATIENCE  # three seconds for each would be three times as long
            wait_until(lambda: LOST in service.log(), PATIENCE, "the line on what was lost")
            assert service.terminate(GRACE + PATIENCE) == 0

        assert "SIGKILL" not in service.log()
        lines = [line for line in service.log_records() if line["message"] == LOST]
        assert [line["level"] for line in lines] == ["WARNING"]
        assert lines[0]["spans"] > 0
        assert lines[0]["cause"]
        assert "Traceback" not in service.log()


@pytest.mark.more
def test_calls_that_take_all_of_the_grace_time_leave_some_for_the_end(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.completion()] * CALLS, ENDLESS)
    with OtlpCollector() as collector:
        collector.illness = "silence"
        with prepared(tmp_path, upstream, settings(collector.url, 5)) as service:
            for _ in range(CALLS):
                chat(service)
            with stream(service) as answer:
                answer.read_event()
                os.kill(service.pid, signal.SIGTERM)
                answer.read_events()
            assert service.terminate(PATIENCE) == 0

        assert "SIGKILL" not in service.log()
