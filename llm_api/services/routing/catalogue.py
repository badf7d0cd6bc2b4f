"""Routing: which model and upstream answer a call, and which do if those fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from llm_api.domain.access import ApiKey, Limits
from llm_api.domain.calls import Fallback, Model
from llm_api.domain.key_format import KeySpotter
from llm_api.domain.name_patterns import NamePatterns
from llm_api.errors import ApiError, NotFound
from llm_api.services.routing.model_lists import ModelLists
from llm_api.services.routing.offers import named_models, only_listed
from llm_api.services.routing.permissions import allows, forbidden, permitted
from llm_api.services.routing.prompt_models import (
    NO_MODEL,
    PREFIX,
    PromptModels,
    is_prompt_model,
)
from llm_api.services.routing.wrong_kinds import made_elsewhere
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone, ShuttingDown
from llm_api.upstream.protocol import Upstream

_T = TypeVar("_T")
# For the first lists of upstreams; later ones are there, or come in the background.
_LISTS_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes: the upstream, the model's name there, and the name the caller used.

    `fallbacks` are for when it fails, `longer_context` for a conversation that is too long for it.
    `limits` are the model's own. `entry` is the name in the catalogue that led here, maybe an alias
    or a pattern; "" where none did.
    """

    upstream: Upstream
    model: str
    requested_model: str | None
    is_guided: bool = False
    has_json_mode: bool = False
    fallbacks: tuple["Destination", ...] = ()
    longer_context: "Destination | None" = None
    limits: Limits = field(default_factory=Limits)
    entry: str = field(default="", compare=False)


class Catalogue:
    """Knows the models; a name that nobody has goes to the default upstream as it is."""

    def __init__(  # noqa: PLR0913  # the last five are for who needs more than names
        self,
        models: Sequence[Model],
        upstreams: Mapping[str, Upstream],
        default_upstream: Upstream,
        *,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        is_closed: bool = False,
        spotter: KeySpotter | None = None,
        lists: ModelLists | None = None,
        beside: Sequence[Model] = (),
        makers: Mapping[str, str] | None = None,
        prompt_models: PromptModels | None = None,
    ) -> None:
        """Offer the known `models` whose upstream is configured.

        `fallbacks` are those of whole upstreams: names of upstreams and models. `is_closed` refuses
        every name that is not in the catalogue. `spotter` sees keys where a name should be. `lists`
        has what upstreams list themselves. `beside` are models of pictures and films, which are
        listed; chat calls that name one, or another of the `makers`, are refused, as are
        `prompt_models`. `makers` are kinds of models by name.
        """
        self._spotter = spotter or KeySpotter()
        self._default = default_upstream
        self._is_closed = is_closed
        offered = {model.id: model for model in models if model.upstream in upstreams}
        self._models = named_models(offered, upstreams, default_upstream)
        self._entries = frozenset(offered)
        self._patterns = NamePatterns(offered)
        self._upstreams = upstreams
        self._fallbacks = fallbacks or {}
        self._beside = {model.id: model for model in beside}
        self._makers = {model.id: model.kind for model in beside} | dict(makers or {})
        self.prompt_models = prompt_models or PromptModels({})
        self._lists = lists if lists is not None else ModelLists({})
        self._routes: dict[tuple[str | None, bool], Destination] = {}

    def models(self, key: ApiKey | None = None) -> list[Model]:
        """Return the models of the catalogue that a key may use, the configured one first."""
        known = [*self._models.values(), *self._beside.values()]
        return [model for model in known if allows(key, model.id, model.model)]

    def all_models(self, key: ApiKey | None = None) -> list[Model]:
        """Return the models of the catalogue, what upstreams list beside, and then the optimizer's.

        It waits a moment for lists that nobody has asked for yet.
        """
        listed = [model for model, entry in self._listed() if allows(key, model.id, entry)]
        return [*self.models(key), *listed, *self.prompt_models.listed(key)]

    def find(self, name: str, key: ApiKey | None = None) -> Model:
        """Return the model of a name; raises NotFound, or Forbidden where it is not for the key."""
        if is_prompt_model(name):
            return self.prompt_models.model(name, key)
        if self._known(name) is not None:
            return self.model(name, key)
        listed = (model for model, _ in self._listed() if model.id == name)
        found = next(listed, None)
        return found if found is not None and allows(key, name) else self.model(name, key)

    def has(self, name: str, *, asks: bool = False) -> bool:
        """Whether a name, or a pattern of names, is of a model that is known.

        `asks` has upstreams asked for their lists, which can take seconds.
        """
        if is_prompt_model(name):
            return self.prompt_models.has(name)
        if asks:
            self._lists.current(_LISTS_WAIT_S)
        is_listed = not self._is_closed and self._lists.owner_of(name) is not None
        is_offered = name in {*self._entries, *self._makers} or self._known(name) is not None
        return is_offered or is_listed

    def model(self, name: str, key: ApiKey | None = None) -> Model:
        """Return a model of the catalogue; raises NotFound, or Forbidden."""
        known = self._known(name)
        if not allows(key, name, *([known.id, known.model] if known else [])):
            raise forbidden()
        if known is None:
            raise NotFound.of_field(
                "model", "must be one that GET /v1/models lists.", reason="model_not_found"
            )
        return replace(known, id=name)

    def _known(self, name: str) -> Model | None:
        return self._models.get(name) or self._beside.get(name) or self._patterns.find(name)

    def close(self) -> None:
        """Ask upstreams for no more lists."""
        self._lists.close()

    def _listed(self) -> Iterator[tuple[Model, str | None]]:
        """Find the models that only upstreams list, each with the pattern that leads to it."""
        lists = self._lists.current(_LISTS_WAIT_S)
        found = only_listed(lists, self._patterns, is_closed=self._is_closed)
        seen = {*self._models, *self._beside}
        return (one for one in found if one[0].id not in seen)

    def route(
        self, name: str | None, *, key: ApiKey | None = None, is_exact: bool = False
    ) -> Destination:
        """Decide where a call for the model `name` goes; None stands for the configured model.

        It goes only to models that the key may use. `is_exact` leaves out the fallbacks that are
        the upstream's and not the model's own. Raises NotFound or Forbidden.
        """
        # A name of the catalogue always leads to the same place: working it out costs 8 µs.
        destination = self._routes.get((name, is_exact))
        if destination is None:
            destination = self._found(name, is_exact=is_exact)
            if name is None or name in self._models:
                self._routes[name, is_exact] = destination
        return destination if key is None or key.models is None else permitted(destination, key)

    def route_to(self, upstream: str, *, key: ApiKey | None = None) -> Destination:
        """Decide where a call goes that is for the configured model of an upstream; see `route`."""
        to = self._upstreams[upstream]
        known = self._models.get(to.default_model)
        known = known if known and known.upstream == upstream else None
        at = Destination(to, (known and known.model) or to.default_model, None)
        found = self._with_fallbacks(at, known, self._fallbacks.get(upstream, ()))
        return found if key is None or key.models is None else permitted(found, key)

    def _found(self, name: str | None, *, is_exact: bool) -> Destination:
        if name is not None and name.startswith(PREFIX):
            raise NO_MODEL
        # A key in the place of the model would get to the upstream and into the usage row.
        if name is not None and (self._is_closed or self._spotter.sees_key(name)):
            self.model(name)
        if name in self._makers and name not in self._models:
            raise made_elsewhere(self._makers[name])
        known = self._models.get(name or self._default.default_model)
        if known is None and name is not None:
            known = self._patterns.find(name) or self._of_another(name)
        upstream = self._upstreams[known.upstream] if known else self._default
        model = (known.model if known else None) or name or upstream.default_model
        if upstream.serves_one_model:
            model = upstream.default_model
            known = self._models[model]
        others = () if is_exact else self._fallbacks.get(upstream.name, ())
        return self._with_fallbacks(Destination(upstream, model, name), known, others)

    def _of_another(self, name: str) -> Model | None:
        """Return a model that is only known from the list of an upstream, if there is a choice."""
        owner = self._lists.owner_of(name) if len(self._upstreams) > 1 else None
        return Model(name, owner) if owner is not None else None

    def _with_fallbacks(
        self, destination: Destination, known: Model | None, others: Sequence[str]
    ) -> Destination:
        """Add where else the call may go: what the model says, else `others`."""
        names = (known.fallback if known else ()) or tuple(others)
        fallbacks = [self._destination(name) for name in names]
        longer = self._destination(known.longer_context) if known and known.longer_context else None
        return replace(
            destination,
            entry=known.id if known else "",
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
        if (known := self._models.get(name) or self._patterns.find(name)) is None:
            return None
        upstream = upstream or self._upstreams[known.upstream]
        return Destination(
            upstream,
            known.model or name,
            None,
            entry=known.id,
            is_guided=known.is_guided,
            has_json_mode=_has_json_mode(upstream, known),
        )


def _has_json_mode(upstream: Upstream, known: Model | None) -> bool:
    """Whether a model has a JSON mode: its catalogue entry and its vendor must both say so."""
    return bool(known and known.has_json_mode) and upstream.has_json_mode


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
