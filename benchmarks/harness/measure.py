"""What is measured: the requests, and one round over every target in turn."""

import contextlib
import dataclasses
import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.harness.load import Load, LoadResult, run_load
from benchmarks.harness.process import tree_cpu_seconds
from benchmarks.harness.servers import BenchmarkError, Server

BUSY_CONNECTIONS = 8
# Work that a server does after its answers (log and database batches) belongs to its CPU time.
SETTLE_SECONDS = 0.25
MS_A_SECOND = 1000

MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Tell me a joke"},
]


@dataclasses.dataclass(frozen=True)
class Route:
    """One POST of the service, with the body that is sent to it and the module that sends it."""

    name: str
    path: str
    body: str
    generator: str = "generator"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


CHAT = Route(
    name="chat",
    path="/v1/chat/completions",
    body=json.dumps({"model": "bench-model", "messages": MESSAGES, "temperature": 0.7}),
)
STREAM = Route(
    name="stream",
    path=CHAT.path,
    body=json.dumps({"model": "bench-model", "messages": MESSAGES, "stream": True}),
    generator="stream_generator",
)
REST_CHAT = Route(
    name="rest",
    path="/api/v1/llm/chat",
    body=json.dumps({"messages": MESSAGES, "temperature": 0.7}),
)
ROUTES = (CHAT, REST_CHAT)
# The same call and the same stream by OpenAI's newer API.
_RESPONSE = {
    "model": "bench-model",
    "instructions": MESSAGES[0]["content"],
    "input": MESSAGES[1]["content"],
}
RESPONSES = Route(
    name="responses", path="/v1/responses", body=json.dumps({**_RESPONSE, "temperature": 0.7})
)
RESPONSES_STREAM = Route(
    name="responses-stream",
    path=RESPONSES.path,
    body=json.dumps({**_RESPONSE, "stream": True}),
    generator="stream_generator",
)


@dataclasses.dataclass(frozen=True)
class Target:
    """One route of one server."""

    server: Server
    route: Route

    @property
    def label(self) -> str:
        """Return the target's name in the report."""
        return f"{self.server.name} {self.route.name}"


@dataclasses.dataclass(frozen=True)
class Contender:
    """One server with the calls and the streams that it is measured with."""

    server: Server
    calls: Sequence[Route]
    streams: Sequence[Route]


@dataclasses.dataclass(frozen=True)
class Sample:
    """The figures of one target in one round."""

    cpu_ms: float
    requests_per_second: float
    added_p50_ms: float
    added_p99_ms: float


@dataclasses.dataclass(frozen=True)
class Round:
    """One pass over all targets; the direct figures are the upstream's without any server.

    `failed` has the failures of peers, by their targets.
    """

    direct_p50_ms: float
    direct_p99_ms: float
    samples: Mapping[str, Sample]
    failed: Mapping[str, str] = dataclasses.field(default_factory=dict)


def with_headers(route: Route, headers: Mapping[str, str]) -> Route:
    """Return a route whose requests have more headers."""
    return dataclasses.replace(route, headers={**route.headers, **headers})


def targets_of(contenders: Sequence[Contender]) -> list[Target]:
    """Return every call of every contender; the same call of all of them comes one by one."""
    most = itertools.zip_longest(*(each.calls for each in contenders))
    return [
        Target(contender.server, route)
        for routes in most
        for contender, route in zip(contenders, routes, strict=True)
        if route is not None
    ]


def stream_targets_of(contenders: Sequence[Contender]) -> list[Target]:
    """Return every stream of every contender."""
    return [Target(each.server, route) for each in contenders for route in each.streams]


def load_of(target: Target, *, connections: int, seconds: float) -> Load:
    """Return a load on a target."""
    route = target.route
    return Load(
        target.server.port,
        route.path,
        route.body,
        connections,
        seconds,
        headers=dict(route.headers),
    )


@contextlib.contextmanager
def generator_checked(target: Target) -> Iterator[None]:
    """Turn the failure of a load generator's process into a BenchmarkError."""
    try:
        yield
    except subprocess.SubprocessError as error:
        reason = f"{target.label}: the load generator failed: {error}"
        raise BenchmarkError(reason, target.server.log) from error


def checked(target: Target, result: LoadResult) -> LoadResult:
    """Return the result of a load; BenchmarkError if a request of it failed."""
    if result.failures or not result.requests:
        answered = f"{result.failures} failures among {result.requests} answers of POST"
        path, failure = target.route.path, result.first_failure
        reason = f"{target.label}: {answered} {path}, the first:\n{failure}"
        raise BenchmarkError(reason, target.server.log)
    return result


def checked_load(target: Target, *, connections: int, seconds: float) -> LoadResult:
    """Run one load; BenchmarkError if a request of it failed."""
    return checked(target, counted_load(target, connections=connections, seconds=seconds))


def counted_load(target: Target, *, connections: int, seconds: float) -> LoadResult:
    """Run one load whose failures are counted, and no reason to end the run."""
    with generator_checked(target):
        load = load_of(target, connections=connections, seconds=seconds)
        return run_load(load, target.route.generator)


def costed_load(target: Target, *, connections: int, seconds: float) -> tuple[LoadResult, float]:
    """Run one load; return it with the CPU milliseconds that the server spent on each request."""
    time.sleep(SETTLE_SECONDS)
    cpu_before = tree_cpu_seconds(target.server.pid)
    result = checked_load(target, connections=connections, seconds=seconds)
    time.sleep(SETTLE_SECONDS)
    cpu_seconds = tree_cpu_seconds(target.server.pid) - cpu_before
    return result, cpu_seconds * MS_A_SECOND / result.requests


def measure_target(target: Target, baseline: LoadResult, seconds: float) -> Sample:
    """Measure the latency at one connection, then CPU time and throughput at several."""
    alone = checked_load(target, connections=1, seconds=seconds)
    busy, cpu_ms = costed_load(target, connections=BUSY_CONNECTIONS, seconds=seconds)
    return Sample(
        cpu_ms=cpu_ms,
        requests_per_second=busy.requests_per_second,
        added_p50_ms=alone.p50_ms - baseline.p50_ms,
        added_p99_ms=alone.p99_ms - baseline.p99_ms,
    )
