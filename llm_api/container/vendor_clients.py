"""Builds the clients of vendors of pictures or films, and what knows the models that they have."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from llm_api.container.making_upstreams import kinds_by_name, upstreams_that_make
from llm_api.domain.calls import Model
from llm_api.domain.upstream_plans import UpstreamPlan
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.jobs.job_models import JobModels, ModelKind
from llm_api.settings.reader import FAST, JUDGE, LOCAL
from llm_api.settings.settings import Settings, SettingsError
from llm_api.upstream.media.vendor_client import VendorClient
from llm_api.upstream.media.vendor_models import VendorProfile, choose_profile
from llm_api.upstream.media.vendor_protocol import VendorUpstream
from llm_api.upstream.resilience.retry_policy import RetryPolicy

C = TypeVar("C", bound=VendorClient[Any, Any])


def build_clients(
    kind: str,
    client: type[C],
    read_profiles: Callable[[Path], Mapping[str, VendorProfile[Any]]],
    settings: Settings,
    models: Sequence[Model],
    *,
    watch: DeadlineWatcher,
) -> dict[str, C]:
    """Build the clients of the upstream of a kind, and of others that a model of it names.

    Args:
        kind: `image` or `video`, as its upstream is called, too.
        client: what each of them is.
        read_profiles: reads its vendors below the configuration's root.
        settings: of the service.
        models: all of the catalogue.
        watch: ends calls from outside.

    Raises:
        SettingsError: a profile or a fallback is none of this kind.
    """
    plans, own = _plans_of(kind, settings, models)
    if not plans:
        return {}
    profiles = read_profiles(settings.config_root)
    _check_profiles(plans, profiles, own)
    _check_fallbacks(kind, plans)
    policy = RetryPolicy(processes=settings.web_concurrency, has_breaker=settings.circuit_breaker)
    clients = {}
    for name, plan in plans.items():
        # An upstream that also answers chat calls may name a profile of those.
        chosen = plan.profile if plan.profile in profiles else None
        profile = choose_profile(profiles, plan.endpoints[0].url, chosen)
        clients[name] = client(name, plan, profile, settings.timeouts, watch, policy=policy)
    return clients


def _plans_of(
    kind: str, settings: Settings, models: Sequence[Model]
) -> tuple[dict[str, UpstreamPlan], frozenset[str]]:
    """Return the upstreams that have models of a kind, and which of them answer no chat calls."""
    plan = settings.making_upstreams.get(kind)
    own = upstreams_that_make(kind, plan, settings, models)
    named = {model.upstream for model in models if model.kind == kind} | own
    plans = {name: one for name, one in settings.upstreams.items() if name in named}
    return plans if plan is None else {**plans, kind: plan}, own | {kind}


def build_models(
    kind: ModelKind,
    upstreams: Mapping[str, VendorUpstream[Any]],
    settings: Settings,
    models: Sequence[Model],
) -> JobModels:
    """Build what knows the models of a kind that `upstreams` have, of all of the catalogue."""
    plan = settings.making_upstreams.get(kind.kind)
    return JobModels(
        kind,
        [model for model in models if _is_of_vendor(model, upstreams.get(model.upstream))],
        upstreams,
        None if plan is None else kind.kind,
        fallbacks=() if plan is None else plan.fallback,
        is_closed=settings.catalogue_only,
        elsewhere=kinds_by_name(settings, models),
    )


def _is_of_vendor(model: Model, upstream: VendorUpstream[Any] | None) -> bool:
    """Whether an upstream has a model of the catalogue: by its vendor, or as the configured one."""
    if not isinstance(upstream, VendorClient) or model.profile in {None, upstream.profile_name}:
        return True
    return model.id == upstream.default_model


def _check_profiles(
    plans: Mapping[str, UpstreamPlan], profiles: Collection[str], own: Collection[str]
) -> None:
    """Raise SettingsError for a profile that is none; that of chat calls is checked there."""
    problems = [
        f"{name.upper()}_LLM_PROFILE must be one of {', '.join(profiles)}."
        for name, plan in plans.items()
        if plan.profile is not None and plan.profile not in profiles and name in own
    ]
    if problems:
        raise SettingsError(problems)


def _check_fallbacks(kind: str, plans: Mapping[str, UpstreamPlan]) -> None:
    """Raise SettingsError for a fallback of the upstream of a kind that makes nothing of it."""
    for other in plans[kind].fallback if kind in plans else ():
        if other in {FAST, JUDGE, LOCAL} and other not in plans:
            setting = f"{kind.upper()}_LLM_FALLBACK"
            message = f"{setting} must be {kind} models or their upstreams, and not {other}."
            raise SettingsError([message])
