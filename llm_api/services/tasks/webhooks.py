"""Reports the ends of jobs to the addresses that callers name, and alerts to those of operators.

They are signed as Standard Webhooks are (https://www.standardwebhooks.com/). Each report is a task
of its own, repeated for a day until its receiver answers well: with the same id and the same body,
and a signature of the moment.
"""

import logging
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson

from llm_api.domain.calls import VIDEO
from llm_api.domain.tasks import Task, TaskState, WebhookPlan
from llm_api.errors import InvalidRequest
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.services.tasks.engine import TaskEngine
from llm_api.storage import StoreError
from llm_api.upstream.media.links import Link, LinkFailed, LinkPolicy, is_public, vetted_link

logger = logging.getLogger(__name__)

KIND = "webhook"
_PREFIX = "hook_"
_DAY = timedelta(days=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# Before each repeat; the last for all further ones.
_PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0)
_JITTER = 0.2
_TIMEOUT_S = 15.0
# As in the answers to requests: a loop is a task of pictures, too.
_OBJECTS = {VIDEO: "video.task"}
_WORDS = {("image.task", TaskState.SUCCEEDED): "completed"}
_GONE = 410  # the receiver wants no more


class Poster(Protocol):
    """What sends a report; LinkClient does it."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str], policy: LinkPolicy) -> int:
        """Return the status of the answer; raises LinkFailed."""


class Webhooks:
    """Writes reports down, and sends them."""

    def __init__(
        self,
        plan: WebhookPlan,
        engine: TaskEngine,
        poster: Poster,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Send by a `plan`, with `poster`; `engine` has the tasks. `now` is the time in UTC."""
        self._secrets = plan.secrets
        self._policy = LinkPolicy(
            max_bytes=0, timeout=_TIMEOUT_S, allows_private=plan.allows_private
        )
        self._engine = engine
        self._poster = poster
        self._now = now

    def check(self, url: str) -> None:
        """Raise InvalidRequest if reports cannot be sent to an address."""
        if not self._secrets:
            raise InvalidRequest.of_field(
                "callback_url",
                "cannot be used: this service has no WEBHOOK_SECRET to sign with.",
                reason="webhooks_not_configured",
            )
        try:
            self.vet(url)
        except LinkFailed as error:
            raise InvalidRequest.of_field(
                "callback_url", error.problem, reason="callback_refused"
            ) from error

    def vet(self, url: str) -> None:
        """Raise LinkFailed if an address is none that anything may be sent to."""
        link = vetted_link(url, self._policy)
        if not self._policy.allows_private and _is_private(link):
            raise LinkFailed("must be the address of a public host.", "refused")

    def report(self, url: str, job: Task, state: TaskState, about: Mapping[str, Any]) -> None:
        """Write down that a job has ended, once; raises StoreError."""
        hook_id = webhook_id(job.id)
        if self._engine.has(hook_id):  # this process, or one that died, has done it before
            return
        shown = _OBJECTS.get(job.kind, "image.task")
        status = _WORDS.get((shown, state), state.value)
        message = {
            "type": f"{shown}.{status}",
            "timestamp": self._now().isoformat(),
            "data": {"id": job.id, "object": shown, "status": status, **about},
        }
        task = self._task(hook_id, url, message)
        self._engine.add(
            replace(task, key_id=job.key_id, request_id=job.request_id, lineage_id=job.lineage_id)
        )

    def write(
        self, hook_id: str, url: str, message: Mapping[str, Any], *, until: datetime | None = None
    ) -> None:
        """Write a message down that no caller waits for; raises StoreError.

        Args:
            hook_id: of those that store the same id at the same time one does it.
            url: where it goes.
            message: `type`, `timestamp` and `data`.
            until: for so long the id is known; None: for two days.
        """
        if self._engine.has(hook_id):
            return
        task = self._task(hook_id, url, message)
        try:
            self._engine.add(replace(task, expires_at=max(until or _LONG_AGO, task.expires_at)))
        except StoreError:
            if not self._engine.has(hook_id):  # nor was another process faster
                raise

    def has(self, hook_id: str) -> bool:
        """Whether a report or message is known; raises StoreError."""
        return self._engine.has(hook_id)

    def _task(self, hook_id: str, url: str, message: Mapping[str, Any]) -> Task:
        now = self._now()
        return Task(
            id=hook_id,
            kind=KIND,
            created_at=now,
            due_at=now,
            deadline_at=now + _DAY,
            expires_at=now + 2 * _DAY,
            document={"url": url, "body": orjson.dumps(message).decode(), "attempts": 0},
            key_id=None,
            request_id=hook_id,
            lineage_id=None,
        )

    def send(self, claimed: ClaimedTask) -> None:
        """Send a report once; it is ended, or put off."""
        document = dict(claimed.task.document)
        answer = self._posted(claimed.task.id, document["url"], document["body"])
        document["attempts"] += 1
        extra = {"task": claimed.task.id, "answer": answer, "attempts": document["attempts"]}
        if answer is not None and 200 <= answer < 300:  # HTTP's classes
            claimed.end(TaskState.SUCCEEDED, document)
        elif answer == _GONE or not claimed.remaining:
            logger.warning("webhook given up", extra=extra)
            claimed.end(TaskState.FAILED, document)
        else:
            logger.info("webhook not delivered yet", extra=extra)
            claimed.save(document)
            claimed.release(_pause(document["attempts"]))

    def _posted(self, hook_id: str, url: str, body: str) -> int | None:
        """Return the answer's status: None where there is none, 410 where nobody may be asked."""
        at = self._now().replace(microsecond=0)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": hook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signatures(self._secrets, hook_id, at, body),
        }
        try:
            return self._poster.post(url, body.encode(), headers, self._policy)
        except LinkFailed as error:
            return _GONE if error.defect == "refused" else None


def webhook_id(job_id: str) -> str:
    """Return the id of a job's report: the same, however often it is sent."""
    return _PREFIX + job_id.partition("_")[2]


def signatures(secrets: Sequence[str], hook_id: str, at: datetime, body: str) -> str:
    """Return the signatures of a body by each secret; `at` is in UTC, in whole seconds."""
    # Only who uses webhooks needs it: an idle worker has no memory for it.
    from standardwebhooks.webhooks import Webhook  # noqa: PLC0415

    return " ".join(Webhook(secret).sign(hook_id, at, body) for secret in secrets)


def _is_private(link: Link) -> bool:
    """Whether an address says itself, without a look-up, that it is not one of the Internet."""
    if link.host == "localhost" or link.host.endswith(".localhost"):
        return True
    try:
        address = link.host if ":" in link.host else socket.inet_ntoa(socket.inet_aton(link.host))
    except OSError:  # a name
        return False
    return not is_public(address)


def _pause(attempts: int) -> float:
    pause = _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
    return pause * random.uniform(1, 1 + _JITTER)  # noqa: S311  # no secret
