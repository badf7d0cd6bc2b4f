"""Whether a key may use a model."""

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_api.domain.access import ApiKey
from llm_api.errors import Forbidden

if TYPE_CHECKING:
    from llm_api.services.routing.catalogue import Destination


def allows(key: ApiKey | None, *names: str | None) -> bool:
    """Whether a key is for a model that has these names."""
    return key is None or any(name is not None and key.allows_model(name) for name in names)


def permitted(destination: "Destination", key: ApiKey) -> "Destination":
    """Leave only the models that a key may use; raises Forbidden."""
    if not allows(key, destination.model, destination.entry):
        raise forbidden()
    longer = destination.longer_context
    return replace(
        destination,
        fallbacks=tuple(d for d in destination.fallbacks if allows(key, d.model, d.entry)),
        longer_context=longer if longer and allows(key, longer.model, longer.entry) else None,
    )


def forbidden() -> Forbidden:
    """Return the error of a key that is not for a model."""
    return Forbidden(
        "The key is not for this model; GET /v1/models lists those it is for.",
        reason="model_not_allowed",
    )
