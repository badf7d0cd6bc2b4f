"""Starts a service that a test may shape, puts load on it, and looks at its processes."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.storage.checkout import fast_upstream, own_service
from tests.support.live import LiveAnswer
from tests.support.raw import request_bytes
from tests.support.service import Schema, Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CHAT = "/api/v1/llm/chat"
COMPLETIONS = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Say hello."}]}
PATIENCE = 30.0  # for what takes a second: the machine may be busy
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def prepared(
    directory: Path,
    upstream: ScriptedUpstream | None = None,
    env: Mapping[str, str] | None = None,
    *,
    conf: str = "",
    program: str = "",
    schema: Schema = "copied",
) -> Service:
    """Prepare a service; `conf` comes before gunicorn.conf.py, `program` behind wsgi.py."""
    settings = {} if upstream is None else fast_upstream(upstream.url)
    settings |= {"RATE_LIMIT": "1000000/minute", **(env or {})}
    service = own_service(directory, settings, schema=schema)
    for name, before, behind in [("gunicorn.conf.py", conf, ""), ("wsgi.py", "", program)]:
        path = directory / "project" / name
        path.write_text(f"{before}\n{path.read_text()}\n{behind}")
    return service


def get(service: Service, path: str) -> requests.Response:
    """Get a page on a connection of its own."""
    with requests.Session() as session:
        return session.get(service.url + path, timeout=PATIENCE)


def chat(service: Service, session: requests.Session | None = None) -> requests.Response:
    """Make a chat call, on a connection of its own unless there is a session."""
    if session is not None:
        return session.post(service.url + CHAT, json=HELLO, timeout=PATIENCE)
    with requests.Session() as own:
        return own.post(service.url + CHAT, json=HELLO, timeout=PATIENCE)


def stream(service: Service) -> LiveAnswer:
    """Ask for a streamed answer and return it with its head read."""
    body = b'{"model": "scripted", "stream": true, "messages": [{"role": "user", "content": "x"}]}'
    headers = [
        ("Host", "test"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    payload = request_bytes("POST", COMPLETIONS, headers, body)
    answer = LiveAnswer(service.address, payload, timeout=PATIENCE * 2)
    assert answer.status == 200
    return answer


def statuses(service: Service) -> Counter[str]:
    """Count the usage rows by their status."""
    return Counter(row["status"] for row in service.usage_rows())


def wait_for_rows(service: Service, count: int) -> list[dict[str, Any]]:
    """Wait until there are so many usage rows, and return them."""
    wait_until(lambda: service.usage_count() >= count, PATIENCE, service.log)
    return service.usage_rows()


def wait_for_workers(service: Service, count: int, *, without: set[int] = frozenset()) -> list[int]:  # type: ignore[assignment]  # an empty set of any kind
    """Wait until exactly so many workers live, none of those `without`, and return their pids."""

    def are_there() -> bool:
        pids = set(service.worker_pids())
        return len(pids) == count and not pids & without

    wait_until(are_there, PATIENCE, service.log)
    return service.worker_pids()


def cpu_seconds(pid: int) -> float:
    """Return how much CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


class Load:
    """Callers that ask again and again; `outcomes` has a status, or an exception's name, for each.

    A connection that is refused is no answer and no loss; it is counted as `refused`.
    """

    def __init__(
        self,
        ask: Callable[[requests.Session], requests.Response],
        *,
        callers: int = 4,
        pause: float = 0.0,
        keeps_alive: bool = False,
    ) -> None:
        """Prepare; with `keeps_alive` a caller uses its connection again."""
        self.outcomes: list[str] = []
        self.slowest = 0.0
        self._ask = ask
        self._pause = pause
        self._keeps_alive = keeps_alive
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(callers)]

    def __enter__(self) -> Self:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask no more, and wait for the last answers."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE * 2)

    def counts(self) -> Counter[str]:
        """Count the outcomes."""
        return Counter(self.outcomes)

    def wait_for(self, count: int) -> None:
        """Wait until so many more were answered."""
        until = len(self.outcomes) + count
        wait_until(lambda: len(self.outcomes) >= until, PATIENCE, lambda: str(self.counts()))

    def _run(self) -> None:
        session = requests.Session()
        while not self._is_over.is_set():
            began_at = time.monotonic()
            self.outcomes.append(self._outcome(session))
            self.slowest = max(self.slowest, time.monotonic() - began_at)
            if not self._keeps_alive:
                session.close()
            self._is_over.wait(self._pause)
        session.close()

    def _outcome(self, session: requests.Session) -> str:
        try:
            answer = self._ask(session)
        except requests.ConnectionError as error:
            return "refused" if "refused" in str(error) else repr(error)
        except requests.RequestException as error:
            return repr(error)
        return str(answer.status_code)


def kill(pid: int, number: int) -> None:
    """Send a signal; a process that has ended is left in peace."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
