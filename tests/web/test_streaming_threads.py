"""The core of sections D and E under gunicorn's thread worker, which an operator may prefer."""

from collections.abc import Mapping
from uuid import uuid4

import pytest

from tests.support import replies
from tests.support.paced import Flood, Gated
from tests.support.replies import chunk
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.streams import (
    HELLO,
    LO,
    PATIENCE,
    STOP,
    ask,
    broken,
    frame,
    inside,
    parsed,
    row_of,
    rows_of_models,
)

FOR_EVER = 600.0


@pytest.fixture(scope="module")
def streaming_env() -> Mapping[str, str]:
    """Serve with threads; what stands in this variable wins over gunicorn.conf.py."""
    return {
        "GUNICORN_CMD_ARGS": "--worker-class gthread --threads 8",
        "CLIENT_WRITE_TIMEOUT": "3",
    }


def test_the_worker_has_threads(streaming: Service) -> None:
    assert "Using worker: gthread" in streaming.log()


def test_each_event_leaves_before_the_next_arrives(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    events = [HELLO, LO, LO, STOP, "[DONE]"]
    upstream = Gated([frame(event) for event in events])
    service_upstream.script(upstream)

    with ask(sound) as answer:
        for event in events:
            upstream.let_go()
            assert parsed([answer.read_event()]) == [event]
        assert answer.read_event() == b""
        assert row_of(sound, answer)["status"] == "ok"


@pytest.mark.parametrize("ending", ["reset", "close", "complete"])
def test_a_cut_stream_ends_with_an_error(
    sound: Service, service_upstream: ScriptedUpstream, ending: replies.Ending
) -> None:
    service_upstream.script(replies.sse([HELLO, LO], done=False, ending=ending))

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO, LO], "upstream_truncated")
        assert row_of(sound, answer)["status"] == "upstream_error"


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "in mid-stream"])
def test_a_client_that_leaves_ends_the_stream_at_the_upstream(
    sound: Service, service_upstream: ScriptedUpstream, *, is_silent: bool
) -> None:
    silent = replies.sse([HELLO], done=False, silence_s=FOR_EVER)
    service_upstream.script(silent if is_silent else replies.sse([HELLO, *[LO] * 60_000], 0.01))

    with ask(sound) as answer:
        assert parsed([answer.read_event()]) == [HELLO]
        answer.leave()
        wait_until(lambda: service_upstream.open_connections == 0, PATIENCE, "it is let go")
        row = row_of(sound, answer)

    assert (row["status"], row["usage_source"]) == ("client_closed", "estimated")


def test_clients_that_never_read_do_not_keep_their_threads(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    floods = [Flood(frame(chunk({"content": "x" * 16_000})), 1_700) for _ in range(6)]
    service_upstream.script(*floods)
    models = [f"never-reading-{uuid4()}" for _ in floods]
    held = [ask(sound, model=model, receive_buffer=4096) for model in models]

    assert all(flood.is_over.wait(PATIENCE) for flood in floods)
    rows = rows_of_models(sound, *models)
    assert [row["status"] for row in rows] == ["client_closed"] * len(models)
    wait_until(lambda: inside(sound)["watched"] == 0, PATIENCE, "the threads are free")
    for answer in held:
        answer.leave()
