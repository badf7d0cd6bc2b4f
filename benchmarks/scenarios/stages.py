"""Where the CPU time of a call goes, stage by stage: `python -m benchmarks.scenarios.stages`."""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.figures import aligned
from benchmarks.harness.measure import CHAT, REST_CHAT, STREAM, Target, checked_load
from benchmarks.harness.process import children_by_parent, tree_cpu_seconds
from benchmarks.harness.programs import (
    PACKAGE_PARENT,
    service_program,
    upgrade_database,
    upstream_program,
)
from benchmarks.harness.servers import Program, free_ports, running

ROUTES = {route.name: route for route in (CHAT, REST_CHAT, STREAM)}
STREAMS, BUSY = 200, 8
STREAM_SECONDS = 5.0
# The first pattern that matches decides, for the innermost file of a stack that matches one at all:
# what the standard library and gevent do belongs to who called them.
STAGES = (
    ("request read: gunicorn", r"/gunicorn/(http/(message|parser|unreader|body)|workers)"),
    ("answer written: gunicorn", r"/gunicorn/|/llm_api/server/"),
    ("log line", r"/logging/|/llm_api/observability/"),
    ("body validated", r"/marshmallow/|/webargs/|/web/request/(body|strict_json)|schemas\.py"),
    ("body validated", r"/web/(schema_fields|smorest|openai/messages)\.py"),
    ("key, limits, budget", r"/limits/|/web/access/|/services/(keys|quotas)/"),
    ("usage recorded", r"/services/usage/|/storage/|/services/pricing"),
    ("upstream: HTTP", r"/upstream/http/|/http/client|/email/|/urllib3/|/requests/"),
    ("upstream: answer checked", r"/upstream/answers/"),
    ("upstream: request, retries, routing", r"/llm_api/(upstream|services)/"),
    ("headers and events of the answer", r"/llm_api/web/(lifecycle|response/)"),
    ("WSGI layers", r"/llm_api/web/middleware/"),
    ("views and what they ask of the request", r"/llm_api/web/"),
    ("Flask, werkzeug, flask-smorest", r"/(flask|werkzeug|flask_smorest|blinker)/"),
    ("deadlines, limits of concurrency", r"/llm_api/runtime/"),
)
LOOP = "event loop: gevent"
OTHER_THREADS = "other threads: database, log"


def stage_of(stack: Sequence[str]) -> str:
    """Return the stage of a stack of files, innermost first."""
    for file in stack:
        for stage, pattern in STAGES:
            if re.search(pattern, file):
                return stage
    return LOOP


def sampled(service: Program, samples: Path) -> Program:
    """Return the service with a sampler in its worker."""
    own = str(service.directory / "gunicorn.conf.py")
    conf = str(PACKAGE_PARENT / "benchmarks/harness/sampled_gunicorn.py")
    command = [conf if part == "gunicorn.conf.py" else part for part in service.command]
    more = {"BENCH_CONF": own, "BENCH_SAMPLES": str(samples)}
    return dataclasses.replace(
        service, command=command, environment={**service.environment, **more}
    )


def measure(root: Path, directory: Path, route_name: str, seconds: float) -> dict[str, float]:
    """Return the CPU microseconds a call of each stage, and `total` by the kernel's count."""
    route, samples = ROUTES[route_name], directory / "samples.json"
    is_streamed = route is STREAM
    connections, seconds = (STREAMS, STREAM_SECONDS) if is_streamed else (BUSY, seconds)
    upstream_port, port = free_ports(2)
    service = sampled(service_program(root, port, upstream_port, directory), samples)
    upgrade_database(service)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(upstream_program(upstream_port, STREAM_SECONDS, directory)))
        server = stack.enter_context(running(service))
        target = Target(server, route)
        checked_load(target, connections=connections, seconds=seconds)
        (worker,) = children_by_parent()[server.pid]
        os.kill(worker, signal.SIGUSR2)
        time.sleep(0.1)
        before = tree_cpu_seconds(server.pid)
        requests = checked_load(target, connections=connections, seconds=seconds).requests
        total = tree_cpu_seconds(server.pid) - before
        os.kill(server.pid, signal.SIGTERM)
        while not samples.exists():
            time.sleep(0.1)
        time.sleep(0.5)
    return by_stage(json.loads(samples.read_text()), requests) | {"total": total / requests * 1e6}


def by_stage(report: Mapping[str, Any], requests: int) -> dict[str, float]:
    """Sum the samples by stage, as microseconds a request."""
    sums: collections.Counter[str] = collections.Counter()
    for stack, spent in report["stacks"].items():
        sums[stage_of(stack.split("\n"))] += spent
    sums[OTHER_THREADS] = report["other_threads"]
    return {stage: spent / requests * 1e6 for stage, spent in sums.items()}


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return the stages of each project in columns."""
    stages = [*dict.fromkeys(stage for stage, _ in STAGES), LOOP, OTHER_THREADS, "total"]
    rows = [["µs a call", *figures]]
    rows += [
        [stage, *[f"{column.get(stage, 0):.0f}" for column in figures.values()]] for stage in stages
    ]
    return aligned(rows)


def main() -> int:
    """Measure every root that was named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios.stages")
    parser.add_argument("roots", nargs="*", type=Path, default=[PACKAGE_PARENT])
    parser.add_argument("--route", choices=ROUTES, default=CHAT.name)
    parser.add_argument("--seconds", type=float, default=8.0)
    choices = parser.parse_args()
    figures = {}
    for root in choices.roots:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            figures[root.resolve().name] = measure(
                root.resolve(), Path(name), choices.route, choices.seconds
            )
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
