"""Finds calls by the id that a response, a log line or a trace has of them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_api.domain.access import ApiKey
from llm_api.domain.money import decimal_text
from llm_api.domain.timestamps import utc_text
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError, NotFound, Unavailable
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads

AT_MOST = 100
NO_SUCH_CALL = NotFound(
    "There is no such call here: none was sent to a model under this id, it was made with another"
    " key, its row was deleted after USAGE_RETENTION_DAYS, or is still on the disk of another"
    " machine.",
    reason="call_not_found",
)
# Ids are of printable ASCII; what is none is not worth a query.
_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call; `is_stored` is false while its row waits for the store."""

    record: UsageRecord
    is_stored: bool


@dataclass(frozen=True, slots=True)
class FoundCalls:
    """The calls with an id, the newest first; `has_more` where there are more than `AT_MOST`."""

    calls: Sequence[FoundCall]
    has_more: bool


class CallLookup:
    """Finds calls in the usage store, and among those that are on their way there."""

    def __init__(
        self,
        reads: Reads[UsageStore],
        threads: StoreThreads,
        waiting: Callable[[str], Sequence[UsageRecord]],
        name_of: Callable[[str], str | None],
        group_names: Callable[[], Mapping[str, str]],
    ) -> None:
        """Search nothing yet.

        Args:
            reads: of the rows.
            threads: where `waiting` runs.
            waiting: returns the calls with an id that are on their way.
            name_of: returns the name of a key with an id; None for one that nobody knows.
            group_names: returns those of the groups that keys join, by their ids.
        """
        self._reads, self._threads = reads, threads
        self._waiting, self._name_of, self._group_names = waiting, name_of, group_names

    def find(self, request_id: str, key: ApiKey | None) -> FoundCalls:
        """Return the calls with an id, of a key or of all keys.

        Raises:
            NotFound: there is none.
            Unavailable: the store cannot be read, and no call with the id waits for it.
        """
        key_id = None if key is None else key.id
        calls = self._found(request_id, key_id) if _ID.fullmatch(request_id) else []
        if not calls:
            raise NotFound(NO_SUCH_CALL.message, reason="call_not_found")
        calls.sort(key=lambda call: call.record.created_at, reverse=True)
        return FoundCalls(calls[:AT_MOST], len(calls) > AT_MOST)

    def _found(self, request_id: str, key_id: str | None) -> list[FoundCall]:
        waiting: list[UsageRecord] = []
        stored: list[UsageRecord] = []
        try:
            # First what waits: what gets into the store meanwhile is found there.
            known = self._threads.run(lambda: self._waiting(request_id))
            waiting = [record for record in known if key_id in {None, record.key_id}]
            # A replica may not have the call that was just made.
            stored = self._reads.read(
                lambda store: store.find(request_id, key_id, AT_MOST + 1), is_enough=bool
            ).value
        except StoreError as error:
            if not waiting:
                message = "The usage store cannot be read at the moment."
                raise Unavailable(message, reason="store_unavailable", retry_after=5) from error
        ids = {record.request_id for record in stored}
        new = [one for one in waiting if one.request_id not in ids]
        return [*(FoundCall(one, True) for one in stored), *(FoundCall(one, False) for one in new)]  # noqa: FBT003  # is_stored

    def described(self, found: FoundCalls, *, is_operator: bool) -> dict[str, Any]:
        """Return all that is known of calls as JSON.

        `is_operator` is whether the reader may see what upstreams have said, about the account of
        whoever runs the service, perhaps.
        """
        ids = {call.record.key_id for call in found.calls}
        names = {key_id: self._name(key_id) for key_id in ids if key_id is not None}
        names |= self._names_of_groups({call.record.group_id for call in found.calls})
        calls = [_described(call, names, is_operator=is_operator) for call in found.calls]
        return {"calls": calls, "has_more": found.has_more}

    def _names_of_groups(self, ids: set[str | None]) -> dict[str, str | None]:
        known = ids - {None}
        try:
            names = self._group_names() if known else {}
        except ApiError:
            names = {}
        return {group_id: names.get(group_id) for group_id in known if group_id is not None}

    def _name(self, key_id: str) -> str | None:
        try:
            return self._name_of(key_id)
        except ApiError:  # a name is no reason to show nothing of a call
            return None


def _described(
    call: FoundCall, names: Mapping[str, str | None], *, is_operator: bool
) -> dict[str, Any]:
    record = call.record
    return {
        "request_id": record.request_id,
        "shown_id": record.shown_id,
        "is_stored": call.is_stored,
        "created_at": utc_text(record.created_at),
        "key": _who(record.key_id, names),
        "group": _who(record.group_id, names),
        "route": record.route,
        "requested_model": record.requested_model,
        "model": record.model,
        "upstream": record.upstream,
        "status": record.status,
        "reason": record.reason,
        "http_status": record.http_status,
        "attempts": [_attempt(one, is_operator=is_operator) for one in record.attempts_detail],
        "tokens": {
            "source": record.usage_source,
            "prompt_tokens": record.prompt_tokens,
            "completion_tokens": record.completion_tokens,
            "cached_tokens": record.cached_tokens,
            "reasoning_tokens": record.reasoning_tokens,
        },
        "images": record.images,
        "pictures": record.pictures,
        "cost": _cost(record),
        "times": _times(record),
        "tags": [tag for tag in record.tags.split(",") if tag],
        "lineage_id": record.lineage_id,
    }


def _who(one_id: str | None, names: Mapping[str, str | None]) -> dict[str, str | None] | None:
    return None if one_id is None else {"id": one_id, "name": names[one_id]}


def _attempt(detail: Mapping[str, Any], *, is_operator: bool) -> dict[str, Any]:
    return {
        "upstream": detail["upstream"],
        "model": detail["model"],
        "reason": detail["reason"],
        "ms": detail["ms"],
        "status": detail.get("status"),
        "said": detail.get("said") if is_operator else None,
    }


def _cost(record: UsageRecord) -> dict[str, Any] | None:
    if record.cost_micro is None:
        return None
    amount = decimal_text(record.cost_micro)
    return {"currency": record.currency, "micro": record.cost_micro, "amount": amount}


def _times(record: UsageRecord) -> dict[str, int | None]:
    """Return where the time went; the wait for a free place is what is left of the whole."""
    total, own, upstream = record.total_ms, record.overhead_ms, record.upstream_ms
    queue = None
    if total is not None and own is not None and upstream is not None:
        queue = max(0, total - own - upstream)
    return {
        "queue_ms": queue,
        "first_token_ms": record.first_token_ms,
        "upstream_ms": upstream,
        "own_ms": own,
        "total_ms": total,
    }
