"""Answers that the processes of a service share through Redis, for `services/idempotency.py`.

Each request has one key in Redis: a claim while it is being answered, renewed by its process (the
claim of a killed process expires), and then the answer until its retention time is over. Nothing
here raises for Redis: while it is away each process knows only its own answers.
"""

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from llm_api.domain.repeats import IdempotencyKey, RecordedAnswer
from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.storage.redis.connection import RedisConnection

MAX_SHARED_BYTES = 1 << 20
_PREFIX = "llm_api:answer:"
_CLAIM_S = 15.0
_RENEWALS = 3  # within the time of a claim
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
    """What Redis has for a request: a claim, or a claim with its answer."""

    fingerprint: str
    answer: RecordedAnswer | None

    @classmethod
    def read(cls, raw: Any) -> "_Entry | None":
        """Parse an entry; None where there is none, or none of ours."""
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

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        claim_lasts: float = _CLAIM_S,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: of Redis or Valkey.
            clock: returns seconds that never go back.
            claim_lasts: seconds after which the claim of a killed process expires.
        """
        self._connection = RedisConnection(url, "answers are not shared for a while", clock)
        self._redis = self._connection.client
        self._claim_ms = round(claim_lasts * 1000)
        self._claims: dict[str, bytes] = {}  # by the name of the key, as Redis has them
        # A claim that was lost, after a pause of this process, may be another one's by now.
        self._renew_own = self._redis.register_script(_RENEW_OWN)
        self._replace_own = self._redis.register_script(_REPLACE_OWN)
        self._renewals = PeriodicThread(
            "answer-claims", claim_lasts / _RENEWALS, self._renew_claims
        )

    def claim(self, identity: IdempotencyKey) -> bool:
        """Claim a request for this process; False where another one answers or has answered it."""
        claim = orjson.dumps({"fingerprint": identity.fingerprint, "owner": secrets.token_hex(8)})
        name = _PREFIX + identity.key

        def set_claim() -> bool:
            if self._redis.set(name, claim, nx=True, px=self._claim_ms):
                return True
            entry = _Entry.read(self._redis.get(name))
            # What cannot be read is in the way, and to a first request an older answer, too.
            if entry is None or (entry.answer is not None and not identity.joins):
                return bool(self._redis.set(name, claim, px=self._claim_ms))
            return False

        is_ours = self._connection.call(set_claim, otherwise=True)
        if is_ours:
            self._claims[name] = claim
            self._renewals.start()
        return is_ours

    def look_up(self, identity: IdempotencyKey) -> tuple[str, RecordedAnswer | None]:
        """Return the fingerprint of the request, and its answer if there is one yet.

        The fingerprint is "" where nothing is known of the request.
        """
        name = _PREFIX + identity.key

        def get() -> Any:
            self._redis.set(f"{name}:waiting", b"1", px=round(_WAITING_S * 1000))
            return self._redis.get(name)

        entry = _Entry.read(self._connection.call(get, otherwise=None))
        return ("", None) if entry is None else (entry.fingerprint, entry.answer)

    def has_waiting(self, identity: IdempotencyKey) -> bool:
        """Whether a client of another process waits for the answer."""
        name = f"{_PREFIX}{identity.key}:waiting"
        return bool(self._connection.call(lambda: self._redis.exists(name), otherwise=0))

    def publish(self, identity: IdempotencyKey, answer: RecordedAnswer | None) -> None:
        """Replace the claim by the answer; None removes the claim."""
        name = _PREFIX + identity.key
        claim = self._claims.pop(name, None)
        if claim is None:
            return  # another process's
        if answer is None or len(answer.body) > MAX_SHARED_BYTES:
            arguments: list[bytes | int] = [claim, b"", 0]
            self._connection.call(lambda: self._replace_own([name], arguments), otherwise=None)
            return
        entry = {
            "fingerprint": identity.fingerprint,
            "content_type": answer.content_type,
            "headers": dict(answer.headers),
            "body": base64.b64encode(answer.body).decode(),
        }
        arguments = [claim, orjson.dumps(entry), round(identity.keep_s * 1000)]
        self._connection.call(lambda: self._replace_own([name], arguments), otherwise=None)

    def _renew_claims(self) -> None:
        for name, claim in list(self._claims.items()):
            renew = partial(self._renew_own, [name], [claim, self._claim_ms])
            self._connection.call(renew, otherwise=None)

    def close(self) -> None:
        """End the renewals, and close the connections."""
        self._renewals.close()
        self._connection.close()
