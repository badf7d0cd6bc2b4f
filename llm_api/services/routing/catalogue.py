"""Routing: which model and upstream answer a call, and which do if those fail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from llm_api.domain.access import ApiKey, Limits
from llm_api.domain.calls import Fallback, Model
from llm_api.domain.key_format import KeySpotter
from llm_api.errors import ApiError, Forbidden, NotFound
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone, ShuttingDown
from llm_api.upstream.protocol import Upstream

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes: the upstream, the model's name there, and the name the caller used.

    `fallbacks` are for when it fails, `longer_context` for a conversation that is too long for it.
    `limits` are the model's own.
    """

    upstream: Upstream
    model: str
    requested_model: str | None
    is_guided: bool = False
    has_json_mode: bool = False
    fallbacks: tuple["Destination", ...] = ()
    longer_context: "Destination | None" = None
    limits: Limits = field(default_factory=Limits)


class Catalogue:
    """Knows the models; a name that is not listed goes to the fast upstream as it is."""

    def __init__(
        self,
        models: Sequence[Model],
        upstreams: Mapping[str, Upstream],
        default_upstream: Upstream,
        *,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        is_closed: bool = False,
        spotter: KeySpotter | None = None,
    ) -> None:
        """Offer the known `models` whose upstream is configured.

        `fallbacks` are those of whole upstreams: names of upstreams and models. `is_closed` refuses
        every name that is not on offer. `spotter` sees keys where a name should be.
        """
        self._spotter = spotter or KeySpotter()
        self._default = default_upstream
        self._is_closed = is_closed
        offered = [model for model in models if model.upstream in upstreams]
        self._models = {model.id: model for model in offered}
        # Configured models are offered even where the catalogue does not list them.
        for name, upstream in upstreams.items():
            self._models.setdefault(
                upstream.default_model, Model(id=upstream.default_model, upstream=name)
            )
        self._upstreams = upstreams
        self._fallbacks = fallbacks or {}

    def models(self, key: ApiKey | None = None) -> list[Model]:
        """Return the models on offer to a key, in the order of the catalogue."""
        return [
            model for model in self._models.values() if key is None or key.allows_model(model.id)
        ]

    def model(self, name: str, key: ApiKey | None = None) -> Model:
        """Return a model on offer; raises NotFound, or Forbidden where it is not for the key."""
        if key is not None and not key.allows_model(name):
            raise _forbidden()
        if name not in self._models:
            raise NotFound.of_field(
                "model", "must be one that GET /v1/models lists.", reason="model_not_found"
            )
        return self._models[name]

    def route(
        self, name: str | None, *, key: ApiKey | None = None, is_exact: bool = False
    ) -> Destination:
        """Decide where a call for the model `name` goes; None stands for the configured model.

        It goes only to models that the key may use. `is_exact` leaves out the fallbacks that are
        the upstream's and not the model's own. Raises NotFound or Forbidden.
        """
        # A key in the place of the model would get to the upstream and into the usage row.
        if name is not None and (self._is_closed or self._spotter.sees_key(name)):
            self.model(name)
        known = self._models.get(name or self._default.default_model)
        upstream = self._upstreams[known.upstream] if known else self._default
        model = name or upstream.default_model
        if upstream.serves_one_model:
            model = upstream.default_model
            known = self._models[model]
        others = () if is_exact else self._fallbacks.get(upstream.name, ())
        destination = self._with_fallbacks(Destination(upstream, model, name), known, others)
        return destination if key is None or key.models is None else _permitted(destination, key)

    def _with_fallbacks(
        self, destination: Destination, known: Model | None, others: Sequence[str]
    ) -> Destination:
        """Add where else the call may go: what the model says, else `others`."""
        names = (known.fallback if known else ()) or tuple(others)
        fallbacks = [self._destination(name) for name in names]
        longer = self._destination(known.longer_context) if known and known.longer_context else None
        return replace(
            destination,
            is_guided=bool(known and known.is_guided),
            limits=known.limits if known else Limits(),
            has_json_mode=_has_json_mode(destination.upstream, known),
            fallbacks=tuple(other for other in fallbacks if other is not None),
            longer_context=longer,
        )

    def _destination(self, name: str) -> Destination | None:
        """Return the destination that a fallback names, None where it is not on offer."""
        if (upstream := self._upstreams.get(name)) is not None:
            name = upstream.default_model
        if (known := self._models.get(name)) is None:
            return None
        upstream = upstream or self._upstreams[known.upstream]
        return Destination(
            upstream,
            name,
            None,
            is_guided=known.is_guided,
            has_json_mode=_has_json_mode(upstream, known),
        )


def _has_json_mode(upstream: Upstream, known: Model | None) -> bool:
    """Whether a model has a JSON mode: its catalogue entry and its vendor must both say so."""
    return bool(known and known.has_json_mode) and upstream.has_json_mode


def _permitted(destination: Destination, key: ApiKey) -> Destination:
    """Leave only the models that a key may use; raises Forbidden."""
    allowed = set(key.models or ())
    if destination.model not in allowed:
        raise _forbidden()
    longer = destination.longer_context
    return replace(
        destination,
        fallbacks=tuple(other for other in destination.fallbacks if other.model in allowed),
        longer_context=longer if longer is not None and longer.model in allowed else None,
    )


def _forbidden() -> Forbidden:
    return Forbidden(
        "The key is not for this model; GET /v1/models lists those it is for.",
        reason="model_not_allowed",
    )


def call_with_fallbacks(
    destination: Destination, call: UpstreamCall, attempt: Callable[[Destination], _T]
) -> tuple[_T, Fallback | None]:
    """Call the destination, and its fallbacks in order while they fail.

    A conversation that is too long for a model goes to the one that its catalogue entry names for
    that. A request that was itself refused, such as by a content filter, is sent nowhere else.

    Args:
        destination: where the call goes first.
        call: limits attempts and time over all destinations.
        attempt: makes the call at a destination; raises ApiError.

    Returns:
        The answer, and which fallback gave it; None if the destination itself answered.

    Raises:
        ApiError: of the destination, if no fallback answers either.
    """
    candidate, rest = destination, list(destination.fallbacks)
    first: ApiError | None = None
    while True:
        try:
            answer = attempt(candidate)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            following = _next(error, candidate, rest, call)
            if following is None:
                raise _final(first, error, call) from error
            first, candidate = first or error, following
        else:
            return answer, None if first is None else _fallback(destination, candidate, first)


def _next(
    error: ApiError, candidate: Destination, rest: list[Destination], call: UpstreamCall
) -> Destination | None:
    if not call.allows_attempt:
        return None
    if error.reason == "context_length_exceeded":
        return candidate.longer_context
    return rest.pop(0) if error.allows_failover and rest else None


def _final(first: ApiError | None, last: ApiError, call: UpstreamCall) -> ApiError:
    """Choose the error for the caller: how the requested model failed."""
    if first is None:
        return last
    return first.replaced(retries_exhausted=first.retries_exhausted or call.attempt_count > 0)


def _fallback(requested: Destination, used: Destination, error: ApiError) -> Fallback:
    return Fallback(
        requested_upstream=requested.upstream.name,
        requested_model=requested.model,
        used_upstream=used.upstream.name,
        used_model=used.model,
        reason=error.reason,
    )
