"""Routing of jobs: which model and upstream make what is wanted, and which if those fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_api.domain.access import ApiKey, Limits
from llm_api.domain.calls import CHAT, Model
from llm_api.domain.name_patterns import NamePatterns, is_pattern
from llm_api.errors import Forbidden, InvalidRequest, NotFound, Unavailable
from llm_api.services.routing.wrong_kinds import made_elsewhere
from llm_api.upstream.media.vendor_protocol import VendorUpstream


@dataclass(frozen=True, slots=True)
class JobDestination:
    """Where a job goes; see `routing.catalogue.Destination`."""

    upstream: VendorUpstream[Any]
    model: str
    requested_model: str | None = None
    fallbacks: tuple["JobDestination", ...] = ()
    limits: Limits = field(default_factory=Limits)
    entry: str = ""


@dataclass(frozen=True, slots=True)
class ModelKind:
    """What models of a kind make, as it is called.

    Attributes:
        kind: of models in the catalogue.
        noun: such as `an image model`.
        results: what they make, such as `pictures`.
        reason: of the error where none is configured; `advice` says how to configure one.
    """

    kind: str
    noun: str
    results: str
    reason: str
    advice: str


class JobModels:
    """Knows the models of a kind; a name that nobody has goes to its own upstream as it is."""

    def __init__(  # noqa: PLR0913  # the last three are what the settings say
        self,
        kind: ModelKind,
        models: Sequence[Model],
        upstreams: Mapping[str, VendorUpstream[Any]],
        default: str | None,
        *,
        fallbacks: Sequence[str] = (),
        is_closed: bool = False,
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        """Offer the models of the kind among `models` whose upstream is there.

        Args:
            kind: what they make.
            models: of the catalogue.
            upstreams: by name; one that no model names is offered by the name of its own model.
            default: name of the upstream for calls that name no model; None: there is none.
            fallbacks: of the default upstream: names of upstreams and models.
            is_closed: whether every name is refused that is not known.
            elsewhere: kinds of models beside those of the catalogue, by name.
        """
        self._kind = kind
        self._others = dict(elsewhere or {}) | {m.id: m.kind for m in models}
        offered = {m.id: m for m in models if m.kind == kind.kind and m.upstream in upstreams}
        configured = {up.default_model: name for name, up in upstreams.items()}
        first = [upstreams[default].default_model] if default is not None else []
        known = {name: Model(name, at, kind=kind.kind) for name, at in configured.items()} | offered
        names = dict.fromkeys([*first, *known])
        self._models = {name: known[name] for name in names if not is_pattern(name)}
        self._patterns = NamePatterns(offered)
        self._upstreams = upstreams
        self._default = default
        self._fallbacks = fallbacks
        self._is_closed = is_closed

    @property
    def kinds(self) -> Mapping[str, str]:
        """The kind of all models of it by name, also of those that not everybody is offered."""
        return dict.fromkeys(self._models, self._kind.kind)

    def offered(self) -> list[Model]:
        """Return the models of vendors, the configured one first."""
        # A chat UI would offer the sketch to everybody: it is found by who knows its name.
        vendors = [self._default, *(m.upstream for m in self._models.values())]
        return [m for m in self._models.values() if m.upstream in vendors and not _is_built_in(m)]

    def knows(self, name: str) -> bool:
        """Whether a name is of a model of the kind."""
        return name in self._models or self._patterns.find(name) is not None

    def at(self, upstream: str) -> VendorUpstream[Any] | None:
        """Return an upstream by its name."""
        return self._upstreams.get(upstream)

    def route(self, name: str | None, key: ApiKey | None) -> JobDestination:
        """Decide where a call goes; None stands for the configured model.

        Raises Unavailable where no model is configured, InvalidRequest for a model of another kind,
        NotFound, or Forbidden.
        """
        if name is None and self._default is not None:
            name_or_default = self._upstreams[self._default].default_model
        else:
            name_or_default = name or ""
        known = self._models.get(name_or_default) or self._patterns.find(name_or_default)
        if known is None:
            self._check_kind(self._others.get(name_or_default, self._kind.kind))
        if known is None and self._default is None:
            raise Unavailable(self._kind.advice, reason=self._kind.reason, retryable=False)
        if known is None and self._is_closed:
            raise NotFound.of_field(
                "model",
                f"must be {self._kind.noun} of the catalogue.",
                reason="model_not_found",
            )
        found = self._destination(known, name_or_default)
        if not _allows(key, found):
            raise Forbidden(
                "The key is not for this model; GET /v1/models lists those it is for.",
                reason="model_not_allowed",
            )
        others = (known.fallback if known else ()) or (
            self._fallbacks if found.upstream.name == self._default else ()
        )
        fallbacks = [one for other in others if (one := self._fallback(other)) is not None]
        return replace(
            found,
            requested_model=name,
            fallbacks=tuple(one for one in fallbacks if _allows(key, one)),
        )

    def _check_kind(self, kind: str) -> None:
        """Raise InvalidRequest for a model of another kind."""
        if kind == CHAT:
            raise InvalidRequest.of_field(
                "model",
                f"makes no {self._kind.results}: it is for chat calls.",
                reason="model_makes_text",
            )
        if kind != self._kind.kind:
            raise made_elsewhere(kind)

    def _destination(self, known: Model | None, name: str) -> JobDestination:
        if known is None:
            return JobDestination(self._upstreams[self._default or ""], name)
        upstream = self._upstreams[known.upstream]
        return JobDestination(upstream, known.model or name, limits=known.limits, entry=known.id)

    def _fallback(self, name: str) -> JobDestination | None:
        """Return the destination that a fallback names; None where it is not on offer."""
        if (upstream := self._upstreams.get(name)) is not None:
            name = upstream.default_model
        known = self._models.get(name) or self._patterns.find(name)
        return None if known is None else self._destination(known, name)


def _allows(key: ApiKey | None, at: JobDestination) -> bool:
    return key is None or key.allows_model(at.model) or key.allows_model(at.entry)


def _is_built_in(model: Model) -> bool:
    """Whether a model is the upstream itself, as the sketch is."""
    return model.id == model.upstream
