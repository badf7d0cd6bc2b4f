"""The names under which the rewriting of prompts is a model.

`optimize/image`, `optimize/video` and `optimize/edit` rewrite for no model in particular,
`optimize/sdxl` for a target model, `optimize/wan:video` for one that makes several things.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Model
from llm_api.domain.prompts import EDIT, GENERIC, Target
from llm_api.errors import InvalidRequest, NotFound
from llm_api.services.routing.permissions import allows, forbidden

# Names that begin so are this service's own: no upstream ever sees one.
PREFIX = "optimize/"
ALL = f"{PREFIX}*"  # stands for all of them in the models of a key
OWNER = "llm_api"
_UNKNOWN = NotFound.of_field(
    "model",
    "must be optimize/image, optimize/video, optimize/edit, or optimize/TARGET or"
    " optimize/TARGET:TYPE of a target model that makes it; GET /v1/models lists them.",
    reason="model_not_found",
)
# What asks a model for something else has such a name.
NO_MODEL = InvalidRequest.of_field(
    "model",
    "rewrites prompts: it is for chat completions, Responses and Messages.",
    reason="model_rewrites_prompts",
)


@dataclass(frozen=True, slots=True)
class PromptModel:
    """A target model with one of the types that it makes; the first of its `names` is listed."""

    target: str
    type: str
    names: tuple[str, ...]


class PromptModels:
    """Knows these names; it has none where prompts are not rewritten."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        """Name the target models that prompts can be rewritten for."""
        made = [one for target in targets.values() for one in _models_of(target)]
        self._models = sorted(made, key=lambda one: one.target != GENERIC)
        self._by_name = {name: one for one in self._models for name in one.names}

    def listed(self, key: ApiKey | None) -> Sequence[Model]:
        """Return one model for each target and type that a key may use."""
        return [Model(one.names[0], OWNER) for one in self._models if allows(key, *one.names, ALL)]

    def has(self, name: str) -> bool:
        """Whether a name is one of them, or stands for all."""
        return name in self._by_name or (name == ALL and bool(self._models))

    def model(self, name: str, key: ApiKey | None) -> Model:
        """Return the model of a name; raises what `find` does."""
        self.find(name, key)
        return Model(name, OWNER)

    def find(self, name: str, key: ApiKey | None) -> PromptModel:
        """Return what a name means; raises NotFound, or Forbidden where it is not for the key."""
        if (known := self._by_name.get(name)) is None:
            raise _UNKNOWN
        if not allows(key, *known.names, ALL):
            raise forbidden()
        return known


def is_prompt_model(name: str) -> bool:
    """Whether a name is of this kind, known or not."""
    return name.startswith(PREFIX)


def _models_of(target: Target) -> Iterator[PromptModel]:
    """Name a target model with each type; its name alone is for what it makes from nothing."""
    types = target.types
    made = [kind for kind in types if kind != EDIT] or types
    for kind in types:
        full, short = f"{PREFIX}{target.name}:{kind}", f"{PREFIX}{target.name}"
        names = [full, short] if kind == types[0] else [full]
        if target.name == GENERIC:
            names.insert(0, f"{PREFIX}{kind}")
        elif len(made) == 1:
            names.reverse()
        yield PromptModel(target.name, kind, tuple(names))
