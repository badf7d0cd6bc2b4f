"""Asks a running service for streamed answers, and holds each to what is promised of all."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.storage.checkout import own_service
from tests.support.live import LiveAnswer
from tests.support.raw import request_bytes
from tests.support.replies import Event, chunk
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import COMPLETIONS, JSON_TYPE, Refusal, good_body, read_refusal

PATIENCE = 20.0  # for what takes less than a second: the machine may be busy
KEY = "sk-canary-of-the-upstream"
HELLO = chunk({"role": "assistant", "content": "Hel"})
LO = chunk({"content": "lo"})
STOP = chunk({}, finish_reason="stop")
DONE = b"[DONE]"
_INSIDE = "/_inside"
# The budget for repeats is soon spent where nearly every call fails.
MANY_REPEATS = Timings(retry_window=0.0)
# What no client sees: whether everything that a call takes is given back. `held` are connections
# and temporary files; those with a name are the worker's own, opened when it first needs them. A
# look at it also writes the usage rows that wait, so that no test has to.
_ROUTE = f"""

import gc
from llm_api.runtime.concurrency import ConcurrencyLimit
from llm_api.upstream.resilience.endpoint_pool import EndpointPool

# By their class, whoever holds them.
limits = [found for found in gc.get_objects() if isinstance(found, ConcurrencyLimit)]
upstreams = [found.limit for found in gc.get_objects() if isinstance(found, EndpointPool)]
[gate] = [limit for limit in limits if limit not in upstreams]


def descriptors():
    import os, stat

    count = 0
    for name in os.listdir("/dev/fd"):
        try:
            found = os.fstat(int(name))
        except OSError:
            continue  # that by which they are listed
        count += stat.S_ISSOCK(found.st_mode) or found.st_nlink == 0
    return count


@app.get("{_INSIDE}")
def inside():
    services = app.extensions["llm_api"]
    app.extensions["llm_api_spool"].flush()
    return {{
        "places": sum(limit.free for limit in upstreams),
        "free": gate.free,
        "queued": gate.waiting,
        "watched": services.watch.watched,
        "held": descriptors(),
    }}
"""


def streaming_service(
    directory: Path, upstream: ScriptedUpstream, *, timings: Timings = MANY_REPEATS, **env: str
) -> Service:
    """Prepare a service on the upstream, with one worker and a route that shows its inside."""
    settings = {
        "FAST_LLM_API_URL": upstream.url,
        "FAST_LLM_API_KEY": KEY,
        "FAST_LLM_MODEL": "scripted",
        "RATE_LIMIT": "1000000/minute",
        "WEB_CONCURRENCY": "1",
        "CIRCUIT_BREAKER": "false",
    }
    service = own_service(directory, settings | env, timings=timings)
    with (directory / "project" / "wsgi.py").open("a") as program:
        program.write(_ROUTE)
    return service


def inside(service: Service) -> dict[str, int]:
    """Look into the worker: free places at the upstream and in the worker, who waits, and so on."""
    return json.loads(_get(service, _INSIDE))


def _get(service: Service, path: str) -> bytes:
    connection = http.client.HTTPConnection(*service.address, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def payload(*, version: str = "1.1", **fields: object) -> bytes:
    """Build the request for a chat completion, a streamed one unless the fields say otherwise."""
    body = json.dumps({**good_body(COMPLETIONS), "stream": True, **fields}).encode()
    headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body)))]
    request = request_bytes("POST", COMPLETIONS, headers, body)
    return request.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)


def ask(service: Service, *, receive_buffer: int | None = None, **fields: object) -> LiveAnswer:
    """Ask for a chat completion, a streamed one unless the fields say otherwise."""
    return LiveAnswer(service.address, payload(**fields), receive_buffer=receive_buffer)


def parsed(events: list[bytes]) -> list[Any]:
    """Read events as JSON; `[DONE]` stays as it is."""
    return [event.decode() if event == DONE else json.loads(event) for event in events]


def frame(event: Event) -> bytes:
    """Write an event as an upstream does."""
    text = event if isinstance(event, str) else json.dumps(event)
    return f"data: {text}\n\n".encode()


def text_of(events: list[bytes]) -> str:
    """Put the texts of a whole stream's first choice together."""
    assert events[-1] == DONE
    choices = [choice for event in parsed(events[:-1]) for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def plain_error(answer: LiveAnswer) -> Refusal:
    """Read an answer that must be an error in place of a stream."""
    return read_refusal(COMPLETIONS, answer.status, answer.headers, answer.read_body())


def error_event(answer: LiveAnswer, event: bytes) -> Refusal:
    """Read an event that must be an error; the status that is told is that of the stream."""
    assert set(json.loads(event)) == {"error"}
    headers = {**answer.headers, "Content-Type": "application/json"}
    return read_refusal(COMPLETIONS, answer.status, headers, event)


def broken(answer: LiveAnswer) -> tuple[list[Any], str]:
    """Read to the end of a stream that breaks: its chunks, and the reason in the last event."""
    *events, last = answer.read_events()
    assert answer.status == 200
    assert DONE not in events
    return parsed(events), error_event(answer, last).reason


def row_of(service: Service, answer: LiveAnswer) -> dict[str, Any]:
    """Wait for the usage row of an answer."""
    [row] = _rows(service, "request_id", [answer.header("x-request-id")])
    return row


def rows_of_models(service: Service, *models: str) -> list[dict[str, Any]]:
    """Wait for the usage rows of calls, each to a model that nobody else names."""
    return _rows(service, "requested_model", models)


def _rows(service: Service, column: str, values: Sequence[object]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        inside(service)
        found[:] = [row for row in service.usage_rows() if row[column] in values]
        return len(found) >= len(values)

    wait_until(are_there, PATIENCE, "the calls are accounted for")
    assert sorted(row[column] for row in found) == sorted(values)
    return found


def log_lines(service: Service, answer: LiveAnswer) -> list[dict[str, Any]]:
    """Return the log lines of a request."""
    request_id = answer.header("x-request-id")
    return [line for line in service.log_records() if line.get("request_id") == request_id]


@contextmanager
def held_to_invariants(
    service: Service, upstream: ScriptedUpstream, *, kept_alive: int = 1
) -> Iterator[Service]:
    """Lend a service; the same worker must be as well after as it was before.

    `kept_alive` is how many connections to the upstream may be left: that of the last call, or as
    many as a request makes calls at the same time.
    """
    upstream.close_connections()
    upstream.clear()
    workers, before = service.worker_pids(), _held(service)
    yield service
    # A stream that its client left as it ended gives its connection back a moment later: the plain
    # call is to take that one.
    _wait_until_nothing_is_held(service, before)
    upstream.clear()
    with ask(service, stream=False) as answer:
        assert answer.status == 200, answer.read_body()
        assert json.loads(answer.read_body())["choices"]
    _wait_until_nothing_is_held(service, before)
    # The one of the plain call, which is kept alive.
    wait_until(lambda: upstream.open_connections <= kept_alive, PATIENCE, "the upstream is let go")
    assert service.worker_pids() == workers
    assert KEY not in service.log()
    assert not [line for line in service.log_records() if line["level"] in {"ERROR", "CRITICAL"}]


def _wait_until_nothing_is_held(service: Service, before: Mapping[str, int]) -> None:
    wait_until(lambda: _held(service) == before, PATIENCE, lambda: f"{before} {_held(service)}")


def _held(service: Service) -> Mapping[str, int]:
    """Return what a call holds."""
    seen = inside(service)
    return {name: seen[name] for name in ("places", "free", "watched")}


def resident_bytes(pid: int) -> int:
    """Return the most memory that a process held since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def forget_peak(pid: int) -> None:
    """Let the process' most memory be what it holds now; the test is skipped where that fails."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the peak of a process' memory cannot be told here")
