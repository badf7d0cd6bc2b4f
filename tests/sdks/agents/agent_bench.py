"""Runs the programs of agents against the service, one process a client."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sdks.agents.agent_cases import AGENT_CASES
from tests.sdks.agents.agent_clients import AgentClient
from tests.sdks.agents.agent_upstream import AgentScript
from tests.sdks.running import NotRun
from tests.sdks.upstream import requests_of
from tests.storage.checkout import fast_upstream, own_service
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream

_TIMEOUT = 180
# Nearly all cases are faults, one after the other: a budget for repeats would soon be spent.
_MANY_REPEATS = Timings(retry_window=0.0)
# None of them may talk to anybody else.
_QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "AGNO_TELEMETRY": "false",
    "LANGSMITH_TRACING": "false",
    "HF_HUB_OFFLINE": "1",
}
_PACED = frozenset({"stream", "leaving"})


@dataclass(frozen=True)
class SeenByAgent:
    """What one client showed its user: its version, the facts by case, the upstream's requests."""

    version: str
    facts: Mapping[str, Mapping[str, Any]]
    asked: Mapping[str, int]


class AgentBench:
    """A service, and the upstream that it asks."""

    def __init__(self, service: Service, upstream: ScriptedUpstream, home: Path) -> None:
        """Use a service that runs; programs see `home` as their home."""
        self._service = service
        self._upstream = upstream
        self._home = home

    def run(self, client: AgentClient) -> SeenByAgent:
        """Let a client take the steps of all its cases; raises NotRun."""
        client.require()
        cases = [case for case in AGENT_CASES if client.has(case)]
        steps = [
            {
                "name": case.name,
                "action": case.name,
                "base_url": f"{self._service.url}/v1",
                "model": f"{client.name}:{case.name}",
                "repeats": True,
                "port": self._upstream.port if case.name in _PACED else 0,
            }
            for case in cases
        ]
        lines = self._print_of(client, steps)
        if len(lines) <= len(cases):
            raise NotRun(f"{client.name} took {len(lines) - 1} of {len(cases)} steps")
        asked = {step["name"]: requests_of(self._upstream, step["model"]) for step in steps}
        return SeenByAgent(
            lines[0]["version"], {line["name"]: line["facts"] for line in lines[1:]}, asked
        )

    def _print_of(self, client: AgentClient, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        try:
            done = subprocess.run(
                client.command(json.dumps(steps)),
                env={"HOME": str(self._home), **_QUIET},
                cwd=client.folder or self._home,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotRun(
                f"{client.name} was not done after {_TIMEOUT} s: {error.output}"
            ) from error
        (self._home / f"{client.name}.log").write_text(done.stderr)
        if done.returncode != 0:
            raise NotRun(f"{client.name} ended with {done.returncode}: {done.stderr[-4000:]}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@contextmanager
def open_agent_bench(directory: Path) -> Iterator[AgentBench]:
    """Start an upstream, and a service that asks it."""
    directory.mkdir(exist_ok=True)
    with ScriptedUpstream() as upstream:
        AgentScript().install(upstream)
        env = {**fast_upstream(upstream.url), "RATE_LIMIT": "1000000/minute"}
        with own_service(directory / "service", env, timings=_MANY_REPEATS) as service:
            yield AgentBench(service, upstream, directory)
