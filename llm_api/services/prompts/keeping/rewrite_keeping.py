"""Gives the same request the same words: finds them, waits for them, or has them made and kept.

Only what the request asked for is kept: no original that came back, and nothing that another model
than the one that was meant has written. A store that is away costs repeats their calls, and no
request its answer; only what was pinned cannot be answered then.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from llm_api.domain.calls import Caller, never
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.rewrites import KeptRewrite
from llm_api.errors import ApiError, InvalidRequest, NotFound, Unavailable
from llm_api.runtime.cooldown import Cooldown
from llm_api.services.prompts.keeping.rewrite_documents import document_of, repeated, result_of
from llm_api.services.prompts.keeping.rewrite_leases import RewriteLeases, SharedRewrites
from llm_api.services.prompts.keeping.rewrite_names import (
    WantedRewrite,
    asked_of,
    owner_of,
    stored_name,
)
from llm_api.services.prompts.keeping.shared_calls import (
    LOOK_S,
    Patience,
    SharedCall,
    SharedCalls,
)
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.storage import StoreError

_PAUSE_S = 10.0  # for which a store that failed is left alone
_T = TypeVar("_T")
_Make = Callable[[Caller], RewriteResult]
logger = logging.getLogger(__name__)

NO_SUCH_REWRITE = NotFound("There is no such rewrite.", reason="rewrite_not_found")
NOT_KEPT = Unavailable(
    "This service keeps no rewrites that could be named: its operator has to set REWRITE_STORE to"
    " sql or redis.",
    reason="rewrites_not_kept",
    retryable=False,
)
REWRITES_AWAY = Unavailable(
    "Rewrites cannot be looked up at the moment; try again.",
    reason="store_unavailable",
    retry_after=5,
)
PIN_OF_ANOTHER = InvalidRequest.of_field(
    "pin",
    "must be the rewrite_id of a rewrite of the same prompt with the same fields; include_details,"
    " include_negative_prompt, on_failure and max_wait_ms may differ.",
    reason="pin_mismatch",
)


class RewriteStore(Protocol):
    """Keeps the latest rewrites; both methods raise StoreError when the store fails."""

    def latest(self, request: str, now: datetime) -> KeptRewrite | None:
        """Return the newest rewrite of a request that has not expired."""

    def put(self, rewrite: KeptRewrite) -> None:
        """Store a rewrite as the newest of its request."""


class Runs(Protocol):
    """Calls what calls a store, and returns its answer."""

    def __call__(self, act: Callable[[], _T], /) -> _T:
        """Call it; raises StoreError."""


def _directly(act: Callable[[], _T], /) -> _T:
    return act()


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where rewrites are kept.

    Attributes:
        store: None keeps none.
        shared: the same store where all processes share it.
        keep: for how long.
        run: calls a method of the store, in a native thread where it blocks; raises StoreError.
        must_end: whether the process ends.
    """

    store: RewriteStore | None = None
    shared: SharedRewrites | None = None
    keep: timedelta = timedelta(days=30)
    run: Runs = _directly
    must_end: Callable[[], bool] = never


class KeptRewrites:
    """The rewrites of a service."""

    def __init__(self, keeping: Keeping) -> None:
        """Keep nothing yet."""
        self._store, self._shared = keeping.store, keeping.shared
        self._keep = keeping.keep
        self._run = keeping.run
        self._must_end = keeping.must_end
        self._calls = SharedCalls()
        self._cooldown = Cooldown(_PAUSE_S)
        shared = keeping.shared
        self._leases = None if shared is None else RewriteLeases(shared, self._quietly)

    def obtain(
        self, wanted: WantedRewrite, caller: Caller, make: _Make, *, asks_anew: bool
    ) -> RewriteResult:
        """Return the rewrite of a request, by a call where there is none yet.

        Args:
            wanted: what the request asks for.
            caller: who asks.
            make: makes the call, for a caller whose time may have become shorter; raises ApiError.
            asks_anew: whether it is made whatever is known.

        Raises:
            ApiError: what `make` raises, here or for another request of the same.
        """
        if asks_anew:
            return self._kept(wanted, make(caller))
        patience = Patience(caller, self._must_end)
        while True:
            call, is_ours = self._calls.join(wanted.in_flight)
            if is_ours:
                return self._lead(wanted, call, patience, partial(self._made, caller, call, make))
            try:
                if (result := call.wait(patience)) is not None:
                    return repeated(result)
            finally:
                self._calls.leave(call)

    def _made(
        self, caller: Caller, call: SharedCall, make: _Make, patience: Patience
    ) -> RewriteResult:
        """Make a call that goes on while others wait for it, also where its own client has left."""
        is_gone = caller.is_disconnected
        awaited = replace(
            caller,
            is_disconnected=lambda: is_gone() and not call.has_followers,
            time_limit=patience.left,
        )
        return make(awaited)

    def _lead(
        self,
        wanted: WantedRewrite,
        call: SharedCall,
        patience: Patience,
        make: Callable[[Patience], RewriteResult],
    ) -> RewriteResult:
        result: RewriteResult | None = None
        problem: ApiError | None = None
        try:
            result = self._found(wanted)
            if result is None:
                result = self._leased(wanted, patience, make)
        except ApiError as error:
            problem = error
            raise
        finally:
            self._calls.close(wanted.in_flight)
            call.end(result, problem)
        return result

    def _leased(
        self,
        wanted: WantedRewrite,
        patience: Patience,
        make: Callable[[Patience], RewriteResult],
    ) -> RewriteResult:
        """Have the call made here, or wait for that of another process."""
        leases = self._leases
        if leases is None:
            return self._kept(wanted, make(patience))
        try:
            while not self._try(partial(leases.claim, wanted.name), otherwise=True):
                if (found := self._found(wanted)) is not None:
                    return found
                patience.check()
                time.sleep(LOOK_S)
            leases.keep()
            # The call of another process may have ended just before.
            found = self._found(wanted)
            return self._kept(wanted, make(patience)) if found is None else found
        finally:
            leases.release(wanted.name)

    def has(self, wanted: WantedRewrite) -> bool:
        """Whether a request would be answered without a call."""
        return self._found(wanted) is not None

    def _found(self, wanted: WantedRewrite) -> RewriteResult | None:
        store = self._store
        if store is None:
            return None
        look = partial(store.latest, wanted.name, datetime.now(UTC))
        kept = self._try(look, otherwise=None)
        return None if kept is None else result_of(kept.document)

    def _kept(self, wanted: WantedRewrite, result: RewriteResult) -> RewriteResult:
        """Keep a result where it is what was asked for, and return it with its id."""
        if not result.is_complete:
            return result
        of_others = [words for one in result.others for words in one.rewrites]
        rewrite_id = wanted.rewrite_id([*result.rewrites, *of_others])
        named = replace(result, rewrite_id=rewrite_id)
        if self._store is not None:
            now = datetime.now(UTC)
            kept = KeptRewrite(
                name=stored_name(wanted.owner, rewrite_id),
                request=wanted.name,
                document={**document_of(named), "asked": wanted.asked},
                created_at=now,
                expires_at=now + self._keep,
            )
            self._try(partial(self._store.put, kept), otherwise=None)
        return named

    def pinned(self, request: PromptRequest, caller: Caller) -> RewriteResult:
        """Return the rewrite that a request names, and keep it until it is deleted.

        Raises:
            NotFound: the caller has no such rewrite.
            InvalidRequest: it is one of another prompt or of other fields.
            Unavailable: the store is away, or keeps nothing that could be named.
        """
        shared = self._lasting()
        name = stored_name(owner_of(caller), request.pin or "")
        kept = self._firmly(partial(shared.get, name, datetime.now(UTC)))
        if kept is None:
            raise NO_SUCH_REWRITE.replaced()
        if kept.document["asked"] != asked_of(request):
            raise PIN_OF_ANOTHER.replaced()
        if kept.expires_at is not None:
            self._firmly(partial(shared.pin, name))
        return replace(result_of(kept.document), is_pinned=True)

    def delete(self, rewrite_id: str, caller: Caller) -> None:
        """Delete a rewrite of a caller; raises NotFound, or Unavailable as `pinned` does."""
        name = stored_name(owner_of(caller), rewrite_id)
        if not self._firmly(partial(self._lasting().delete, name)):
            raise NO_SUCH_REWRITE.replaced()

    def close(self) -> None:
        """Close all connections."""
        if self._leases is not None:
            self._leases.close()
        if self._shared is not None:
            self._shared.close()

    def _lasting(self) -> SharedRewrites:
        if self._shared is None:
            raise NOT_KEPT.replaced()
        return self._shared

    def _firmly(self, act: Callable[[], _T]) -> _T:
        """Do what an answer depends on; raises Unavailable where the store fails."""
        try:
            return self._run(act)
        except StoreError as error:
            raise REWRITES_AWAY.replaced() from error

    def _try(self, act: Callable[[], _T], *, otherwise: _T) -> _T:
        """Return what the store answers, or `otherwise` where it is away."""
        if not self._cooldown.attempt():
            return otherwise
        try:
            answer = self._run(act)
        except StoreError as error:
            if self._cooldown.failed():
                extra = {"cause": str(error)}
                logger.warning("rewrites are not kept for a while", extra=extra)
            return otherwise
        self._cooldown.succeeded()
        return answer

    def _quietly(self, act: Callable[[], None]) -> None:
        self._try(act, otherwise=None)
