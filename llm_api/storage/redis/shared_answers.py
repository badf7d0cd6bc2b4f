"""Answers that the processes of a service share through Redis, for `services/idempotency.py`.

One key a request: while it is being answered a claim that its process renews (a killed process's
claim ends by itself), then the answer until nobody can need it any more. Nothing here raises for
Redis: while it is away each process knows only its own answers.
"""

import base64
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from llm_api.domain.calls import IdempotencyKey, RecordedAnswer
from llm_api.storage.redis.connection import RedisConnection

MAX_SHARED_BYTES = 1 << 20
_PREFIX = "llm_api:answer:"
_CLAIM_S = 15.0
_RENEW_S = 5.0
_WAITING_S = 2.0
_RENEW_OWN = """
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
"""
_REPLACE_OWN = """
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return end
if ARGV[2] == "" then return redis.call("DEL", KEYS[1]) end
return redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What stands in Redis for a request: a claim, or the answer as well."""

    fingerprint: str
    answer: RecordedAnswer | None

    @classmethod
    def read(cls, raw: Any) -> "_Entry | None":
        """Read an entry; None where there is none, or something else."""
        try:
            entry = orjson.loads(raw or b"")
            fingerprint = entry["fingerprint"]
            if not isinstance(fingerprint, str):
                return None
            if "body" not in entry:
                return cls(fingerprint, None)
            body = base64.b64decode(entry["body"], validate=True)
            answer = RecordedAnswer(str(entry["content_type"]), dict(entry["headers"]), body)
        except (ValueError, TypeError, KeyError):  # not JSON, not an object, not of this form
            return None
        return cls(fingerprint, answer)


class RedisAnswers:
    """The shared answers of one service."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Connect to nothing yet."""
        self._link = RedisConnection(url, "answers are not shared for a while", clock)
        self._redis = self._link.client
        self._claims: dict[str, bytes] = {}  # by the name of the key, as they stand in Redis
        # A claim that was lost, after a pause of this process, may be another one's by now.
        self._renew_own = self._redis.register_script(_RENEW_OWN)
        self._replace_own = self._redis.register_script(_REPLACE_OWN)
        self._has_claims = threading.Event()
        self._thread: threading.Thread | None = None

    def claim(self, ticket: IdempotencyKey) -> bool:
        """Say that this process answers the request; False where another one does or did."""
        claim = orjson.dumps({"fingerprint": ticket.fingerprint, "owner": secrets.token_hex(8)})
        name = _PREFIX + ticket.key
        milliseconds = round(_CLAIM_S * 1000)

        def set_claim() -> bool:
            if self._redis.set(name, claim, nx=True, px=milliseconds):
                return True
            entry = _Entry.read(self._redis.get(name))
            # What cannot be read is in the way, and to a first request an older answer, too.
            if entry is None or (entry.answer is not None and not ticket.joins):
                return bool(self._redis.set(name, claim, px=milliseconds))
            return False

        is_ours = self._link.tried(set_claim, otherwise=True)
        if is_ours:
            self._claims[name] = claim
            self._has_claims.set()
            self._start_renewing()
        return is_ours

    def look_up(self, ticket: IdempotencyKey) -> tuple[str, RecordedAnswer | None]:
        """Return the fingerprint of the request, and its answer as soon as it has ended."""
        name = _PREFIX + ticket.key

        def get() -> Any:
            self._redis.set(f"{name}:waiting", b"1", px=round(_WAITING_S * 1000))
            return self._redis.get(name)

        entry = _Entry.read(self._link.tried(get, otherwise=None))
        return ("", None) if entry is None else (entry.fingerprint, entry.answer)

    def has_waiting(self, ticket: IdempotencyKey) -> bool:
        """Whether a client of another process waits for the answer."""
        name = f"{_PREFIX}{ticket.key}:waiting"
        return bool(self._link.tried(lambda: self._redis.exists(name), otherwise=0))

    def publish(self, ticket: IdempotencyKey, answer: RecordedAnswer | None) -> None:
        """Share the answer, or None where there will be none."""
        name = _PREFIX + ticket.key
        claim = self._claims.pop(name, None)
        if claim is None:
            return  # another process's
        if answer is None or len(answer.body) > MAX_SHARED_BYTES:
            arguments: list[bytes | int] = [claim, b"", 0]
            self._link.tried(lambda: self._replace_own([name], arguments), otherwise=None)
            return
        entry = {
            "fingerprint": ticket.fingerprint,
            "content_type": answer.content_type,
            "headers": dict(answer.headers),
            "body": base64.b64encode(answer.body).decode(),
        }
        arguments = [claim, orjson.dumps(entry), round(ticket.keep_s * 1000)]
        self._link.tried(lambda: self._replace_own([name], arguments), otherwise=None)

    def _start_renewing(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, name="answer-claims", daemon=True)
            self._thread.start()

    def _renew(self) -> None:
        while True:
            self._has_claims.wait()
            time.sleep(_RENEW_S)
            for name, claim in list(self._claims.items()):
                renew = partial(self._renew_own, [name], [claim, round(_CLAIM_S * 1000)])
                self._link.tried(renew, otherwise=None)
            if not self._claims:
                self._has_claims.clear()
                # What came in between the look and the clear must not be forgotten.
                if self._claims:
                    self._has_claims.set()

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
