"""Builds the upstreams of chats, and the catalogue of their models."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llm_api.container.makers import Makers
from llm_api.container.making_upstreams import all_upstreams_that_make
from llm_api.container.readiness import fast_upstream
from llm_api.domain.calls import CHAT, Model
from llm_api.domain.key_format import KeySpotter
from llm_api.domain.upstream_plans import UpstreamPlan
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.runtime.file_limits import idle_within_limit
from llm_api.services.keys import formats
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.routing.model_lists import ModelLists
from llm_api.services.routing.prompt_models import PromptModels
from llm_api.settings import config_files
from llm_api.settings.fallback_names import check_fallbacks
from llm_api.settings.reader import JUDGE, LOCAL
from llm_api.settings.settings import Settings, SettingsError
from llm_api.upstream.behavior import BUNDLED_MODEL, LOCAL_JUDGE, UpstreamBehavior
from llm_api.upstream.bundled_model.model import default_endpoint
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import Profile, choose_profile, known_parameters


def build_upstreams(
    settings: Settings, watch: DeadlineWatcher, models: Sequence[Model]
) -> tuple[frozenset[str], dict[str, UpstreamClient]]:
    """Build the clients of upstreams; also returns the parameters that any of them takes."""
    profiles = config_files.read_profiles(settings.config_root)
    known = known_parameters(profiles).union(*(model.parameters for model in models))

    def client(plan: UpstreamPlan, behavior: UpstreamBehavior) -> UpstreamClient:
        policy = RetryPolicy(
            processes=settings.web_concurrency, has_breaker=settings.circuit_breaker
        )
        # The addresses of one upstream are of one vendor: the first speaks for all.
        profile = replace(
            choose_profile(profiles, plan.endpoints[0].url, plan.profile),
            known=known,
            passes_unknown=settings.pass_unknown_parameters,
            passes_addresses=settings.pass_picture_addresses,
            model_parameters=_parameters_of(models, behavior.name),
        )
        return UpstreamClient(plan, behavior, settings.timeouts, watch, profile, policy=policy)

    makers = all_upstreams_that_make(settings, models)
    of_chat = {name: p for name, p in settings.upstreams.items() if name not in makers}
    _check_profiles(of_chat, profiles)
    most, idle = settings.upstream_concurrency, idle_within_limit(settings.endpoint_count)
    usual = {name: UpstreamBehavior(name, max_concurrency=most, max_idle=idle) for name in of_chat}
    if settings.local_judge is not None:
        usual[JUDGE] = LOCAL_JUDGE
    upstreams = {name: client(plan, usual[name]) for name, plan in of_chat.items()}
    if settings.uses_bundled_model:
        plan = UpstreamPlan((settings.local_model or default_endpoint(),), profile="llama-cpp")
        # One model serves all workers, which share its slots.
        share = max(1, BUNDLED_MODEL.max_concurrency // settings.web_concurrency)
        upstreams[LOCAL] = client(plan, replace(BUNDLED_MODEL, max_concurrency=share))
    return known, upstreams


def _parameters_of(models: Sequence[Model], upstream: str) -> dict[str, frozenset[str]]:
    """Return what models of an upstream take beside its vendor, by their names there."""
    found: dict[str, frozenset[str]] = {}
    for model in models:
        if model.parameters and model.upstream == upstream:
            name = model.model or model.id
            found[name] = found.get(name, frozenset()) | model.parameters
    return found


def _check_profiles(plans: Mapping[str, UpstreamPlan], profiles: Mapping[str, Profile]) -> None:
    problems = [
        f"{name.upper()}_LLM_PROFILE must be one of {', '.join(profiles)}."
        for name, plan in plans.items()
        if plan.profile is not None and plan.profile not in profiles
    ]
    if problems:
        raise SettingsError(problems)


def _model_lists(settings: Settings, upstreams: Mapping[str, UpstreamClient]) -> ModelLists:
    """Build what knows the models that upstreams list; a file is for one set of addresses."""
    addresses = sorted(
        f"{name} {endpoint.url}"
        for name, plan in settings.upstreams.items()
        for endpoint in plan.endpoints
    )
    digest = hashlib.sha256("\n".join(addresses).encode()).hexdigest()[:16]
    spotter = KeySpotter(settings.access.secrets)

    def is_name(text: str) -> bool:
        return formats.MODEL.accepts(text) and not spotter.sees_key(text)

    file = settings.instance / "model_lists" / f"{digest}.json"
    return ModelLists(upstreams, file, is_name=is_name)


def build_catalogue(
    settings: Settings,
    models: Sequence[Model],
    upstreams: Mapping[str, UpstreamClient],
    makers: Makers,
) -> Catalogue:
    """Build what knows which model goes where; raises SettingsError."""
    check_fallbacks(settings, models, [up.default_model for up in upstreams.values()])
    return Catalogue(
        [
            model
            for model in models
            if model.kind == CHAT and _is_of_vendor(model, upstreams.get(model.upstream))
        ],
        upstreams,
        fast_upstream(settings, upstreams),
        fallbacks={name: plan.fallback for name, plan in settings.upstreams.items()},
        is_closed=settings.catalogue_only,
        spotter=KeySpotter(settings.access.secrets),
        lists=_model_lists(settings, upstreams),
        beside=makers.offered,
        makers=makers.kinds,
        prompt_models=_prompt_models(settings),
    )


def _prompt_models(settings: Settings) -> PromptModels:
    is_enabled = settings.enable_prompt_optimization
    return PromptModels(config_files.read_targets(settings.config_root) if is_enabled else {})


def _is_of_vendor(model: Model, upstream: UpstreamClient | None) -> bool:
    """Whether an upstream has a model of the catalogue: by its vendor, or as the configured one."""
    if upstream is None or model.profile in {None, upstream.profile_name}:
        return True
    return model.id == upstream.default_model
