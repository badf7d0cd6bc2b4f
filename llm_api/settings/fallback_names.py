"""Checks the names of fallbacks; one that is known and not configured is passed over later."""

from collections.abc import Iterable, Sequence

from llm_api.domain.calls import Model
from llm_api.domain.name_patterns import NamePatterns
from llm_api.settings.config_files import MODELS
from llm_api.settings.reader import FAST, IMAGE, JUDGE, LOCAL, VIDEO
from llm_api.settings.settings import Settings, SettingsError

_EXPECTED = "names of upstreams or of models in config/models.toml"


def check_fallbacks(
    settings: Settings, models: Sequence[Model], configured_models: Sequence[str]
) -> None:
    """Raise SettingsError for a fallback that is no upstream and no model.

    Args:
        settings: name the upstreams and their fallbacks.
        models: all of the catalogue, also those of upstreams that are not configured.
        configured_models: the default models of upstreams.
    """
    known = {FAST, JUDGE, LOCAL, IMAGE, VIDEO, *settings.upstreams, *(model.id for model in models)}
    known.update(configured_models)
    patterns = NamePatterns({model.id: model for model in models})

    def are_known(names: Iterable[str | None]) -> bool:
        return all(name is None or name in known or patterns.find(name) for name in names)

    problems = [
        f"{name.upper()}_LLM_FALLBACK must be {_EXPECTED}."
        for name, plan in [*settings.upstreams.items(), *settings.making_upstreams.items()]
        if not are_known(plan.fallback)
    ]
    problems += [
        f"{MODELS}, models.{model.id}: fallback and longer_context must be {_EXPECTED}."
        for model in models
        if not are_known([*model.fallback, model.longer_context])
    ]
    if problems:
        raise SettingsError(problems)
