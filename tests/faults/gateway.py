"""A service and its upstream: asked as a client does, and looked into as no client can."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import LiveAnswer
from tests.support.raw import request_bytes
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, CHATS, JSON_TYPE, Refusal, good_body, read_refusal
from tests.web.streams import MANY_REPEATS, PATIENCE, held_to_invariants, inside, streaming_service

ValidationResult = tuple[int, str, str, bool]
Row = tuple[str, str | None, int]

in_both_dialects = pytest.mark.parametrize("path", CHATS, ids=["rest", "openai"])
JUDGED = "scripted-judge"  # the model of the other upstream, where a service has one
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}
_HELD = "/_held"
# Idle connections to upstreams are kept for the next call, and native threads for ever.
_ROUTE = f"""

from sqlalchemy import Engine
from gevent.threadpool import ThreadPool
from urllib3 import HTTPConnectionPool

pools = [found for found in gc.get_objects() if isinstance(found, HTTPConnectionPool)]
engines = [found for found in gc.get_objects() if isinstance(found, Engine)]

@app.get("{_HELD}")
def held():
    import sys
    native = [found for found in gc.get_objects() if isinstance(found, ThreadPool)]
    kept = [connection for pool in pools for connection in pool.pool.queue]
    idle = [connection for connection in kept if connection and connection.sock is not None]
    return {{
        "files": descriptors() - len(idle),
        "threads": len(sys._current_frames()) - sum(pool.size for pool in native),
        "checked_out": sum(engine.pool.checkedout() for engine in engines),
    }}
"""


@dataclass(frozen=True)
class Told:
    """What a failed call leaves: with its client, at the upstream (requests seen), in the books.

    `row` is status, reason and attempts of its usage row; None where it must have none.
    """

    verdict: ValidationResult
    hits: int
    row: Row | None
    retry_after: str | None
    should_retry: str | None


# An answer had begun, or may have been at work: another one would be paid for as well.
PAID = ("upstream_bad_response", "upstream_timeout", "upstream_truncated")


def told(
    path: str,
    verdict: ValidationResult,
    hits: int,
    *,
    attempts: int | None = None,
    retry_after: int | None = None,
) -> Told:
    """Build what is specified; there are as many `attempts` as `hits` unless it is said."""
    status, _, reason, is_retryable = verdict
    attempts = hits if attempts is None else attempts
    kind = "timeout" if status == 504 else "upstream_error"
    # An SDK is to repeat what may pass, was not repeated here, and cost nothing.
    is_once = attempts <= 1 and reason not in PAID
    is_held = path.startswith("/v1") and not (is_retryable and is_once)
    return Told(
        verdict,
        hits,
        row=(kind, reason, attempts) if attempts else None,
        retry_after=None if retry_after is None else str(retry_after),
        should_retry="false" if is_held else None,
    )


def refusal_in(answer: LiveAnswer, path: str = CHAT) -> Refusal:
    """Read an answer that must be an error, and hold it to what is promised of every one."""
    return read_refusal(path, answer.status, answer.headers, answer.read_body())


class Gateway:
    """A service with one worker, whose fast upstream is scripted."""

    def __init__(self, service: Service, upstream: ScriptedUpstream) -> None:
        """Take both, running."""
        self.service = service
        self.upstream = upstream

    @property
    def worker(self) -> int:
        """The worker's process id."""
        [pid] = self.service.worker_pids()
        return pid

    def ask(self, path: str = CHAT, **fields: object) -> LiveAnswer:
        """Send a chat call, and wait for nothing."""
        body = json.dumps({**good_body(path), **fields}).encode()
        headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body)))]
        return LiveAnswer(self.service.address, request_bytes("POST", path, headers, body))

    def refuse(self, path: str = CHAT, **fields: object) -> Refusal:
        """Make a chat call, and return the error that must come."""
        with self.ask(path, **fields) as answer:
            return refusal_in(answer, path)

    def fail(self, path: str = CHAT, **fields: object) -> Told:
        """Make a chat call that must fail, and return all that it leaves."""
        hits = len(self.upstream.requests)
        with self.ask(path, **fields) as answer:
            verdict = refusal_in(answer, path).verdict
            rows = self._rows_of(answer)
            assert len(rows) <= 1
            return Told(
                verdict,
                len(self.upstream.requests) - hits,
                _head(rows[0]) if rows else None,
                answer.header("Retry-After"),
                answer.header("x-should-retry"),
            )

    def succeed(self, path: str = CHAT, **fields: object) -> tuple[int, Row]:
        """Make a chat call that must succeed; return the upstream's requests, and the usage row."""
        hits = len(self.upstream.requests)
        row = self.succeeded(path, **fields)
        return len(self.upstream.requests) - hits, _head(row)

    def succeeded(self, path: str = CHAT, **fields: object) -> Mapping[str, Any]:
        """Make a chat call that must succeed, and return its whole usage row."""
        with self.ask(path, **fields) as answer:
            body = answer.read_body()
            assert answer.status == 200, body
            assert json.loads(body)
            [row] = self._rows_of(answer)
        return row

    def _rows_of(self, answer: LiveAnswer) -> list[dict[str, Any]]:
        return self.rows("request_id", answer.header("x-request-id"))

    def rows(self, column: str, value: object) -> list[dict[str, Any]]:
        """Return usage rows; those of all calls that have ended are there."""
        inside(self.service)
        return [row for row in self.service.usage_rows() if row[column] == value]

    def held(self) -> Mapping[str, int]:
        """Count what the worker holds."""
        connection = http.client.HTTPConnection(*self.service.address, timeout=PATIENCE)
        connection.request("GET", _HELD)
        held: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return held


def _head(row: Mapping[str, Any]) -> Row:
    return row["status"], row["reason"], row["attempts"]


def faulty_service(
    directory: Path,
    upstream: ScriptedUpstream,
    env: Mapping[str, str],
    timings: Timings = MANY_REPEATS,
) -> Service:
    """Prepare a service on the upstream, with one worker and routes that show its inside."""
    service = streaming_service(directory, upstream, timings=timings, **env)
    with (directory / "project" / "wsgi.py").open("a") as program:
        program.write(_ROUTE)
    return service


@contextmanager
def held_to_all_invariants(service: Service, upstream: ScriptedUpstream) -> Iterator[Gateway]:
    """Lend a service; after the case it must be well, and hold no more than before."""
    gateway = Gateway(service, upstream)
    gateway.succeed()  # what a service opens with its first call is open
    before = gateway.held()
    with held_to_invariants(service, upstream):
        yield gateway
        upstream.close_connections()  # the idle ones that many calls at once have left
    wait_until(
        lambda: all(held <= before[name] for name, held in gateway.held().items()),
        PATIENCE,
        lambda: f"at most {before} is held, not {gateway.held()}",
    )


def judged_by(url: str) -> dict[str, str]:
    """Return the settings of another upstream, for calls to the model JUDGED."""
    return {
        "JUDGE_LLM_API_URL": url,
        "JUDGE_LLM_API_KEY": "sk-canary-of-the-judge",
        "JUDGE_LLM_MODEL": JUDGED,
    }
