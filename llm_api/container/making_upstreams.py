"""Which upstreams of the settings make pictures or films."""

from collections.abc import Mapping, Sequence

from llm_api.domain.calls import CHAT, Model
from llm_api.domain.calls import IMAGE as IMAGE_KIND
from llm_api.domain.calls import VIDEO as VIDEO_KIND
from llm_api.domain.upstream_plans import UpstreamPlan
from llm_api.settings.reader import FAST, JUDGE
from llm_api.settings.settings import Settings
from llm_api.upstream.bundled_model.model import default_endpoint


def upstreams_that_make(
    kind: str, plan: UpstreamPlan | None, settings: Settings, models: Sequence[Model]
) -> frozenset[str]:
    """Return the upstreams that make what models of a kind are for, and answer no chat calls.

    Their own model is of that kind, or they are to work where the upstream of `plan` fails.
    """
    own = {
        name
        for name, one in settings.upstreams.items()
        for model in models
        if model.kind == kind and model.upstream == name and one.model in {model.id, model.model}
    }
    fallbacks = {name for name in plan.fallback if name in settings.upstreams} if plan else set()
    return frozenset(own | fallbacks) - {FAST, JUDGE}


def all_upstreams_that_make(settings: Settings, models: Sequence[Model]) -> frozenset[str]:
    """Return the upstreams that make pictures or films, and answer no chat calls."""
    return upstreams_that_make(
        IMAGE_KIND, settings.image_upstream, settings, models
    ) | upstreams_that_make(VIDEO_KIND, settings.video_upstream, settings, models)


def kinds_by_name(settings: Settings, models: Sequence[Model]) -> Mapping[str, str]:
    """Return what the own models of all upstreams are for, by their names."""
    makers = all_upstreams_that_make(settings, models)
    chats = [plan.model for name, plan in settings.upstreams.items() if name not in makers]
    if settings.uses_bundled_model:
        chats.append((settings.local_model or default_endpoint()).model)
    return {**dict.fromkeys(chats, CHAT), **settings.made_by_name}
