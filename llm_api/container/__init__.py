"""Builds stores, upstreams and services from the settings; nothing is connected or started yet."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from llm_api.container.accounting import build_accounting
from llm_api.container.cache_rules import cache_rules
from llm_api.container.images import (
    Closable,
    Painters,
    Surroundings,
    build_painters,
    image_upstreams,
    known_image_fields,
)
from llm_api.container.judge import JudgeParts, build_judge
from llm_api.container.loops import build_pictures
from llm_api.container.metrics import build_gauges
from llm_api.container.readiness import READ_TIMEOUT_S, build_readiness, fast_upstream
from llm_api.container.rewrites import build_rewrites
from llm_api.container.stores import Stores, build_stores
from llm_api.domain.calls import CHAT, Model, UpstreamPlan
from llm_api.domain.key_format import KeySpotter
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.runtime.drain import Drain
from llm_api.runtime.file_limits import idle_within_limit
from llm_api.services.audit import AuditService
from llm_api.services.chat import ChatService
from llm_api.services.idempotency import IdempotencyService
from llm_api.services.keys import formats
from llm_api.services.keys.authenticator import STALE_S, KeyAuthenticator
from llm_api.services.keys.group_service import GroupService
from llm_api.services.keys.service import KeyService
from llm_api.services.pricing import PriceList
from llm_api.services.prompt_batches import PromptBatches
from llm_api.services.prompt_chat import PromptChat
from llm_api.services.prompts import Experiment, PromptOptimizer
from llm_api.services.quotas.budget_states import BudgetReader
from llm_api.services.quotas.rate_counter import RateCounter
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.routing.model_lists import ModelLists
from llm_api.services.routing.prompt_models import PromptModels
from llm_api.services.usage.ledger import UsageLedger
from llm_api.services.usage.reports import ReportService
from llm_api.settings import config_files
from llm_api.settings.fallback_names import check_fallbacks
from llm_api.settings.reader import JUDGE, LOCAL
from llm_api.settings.settings import Settings, SettingsError
from llm_api.storage.factory import open_shared_keys
from llm_api.storage.key_store import KeyStore
from llm_api.storage.threads import StoreThreads
from llm_api.upstream.behavior import BUNDLED_MODEL, LOCAL_JUDGE, UpstreamBehavior
from llm_api.upstream.bundled_model.model import default_endpoint
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import Profile, choose_profile, known_parameters
from llm_api.web.request.context import Services

__all__ = ["Stores", "build_authenticator", "build_services", "build_stores"]

# A caller whose key is known waits no longer when the database does not answer.
_KEY_TIMEOUT_S = 2.0


def build_authenticator(settings: Settings, keys: KeyStore) -> KeyAuthenticator:
    """Build what authenticates API keys: those in `keys`, and those that the settings name."""
    threads = StoreThreads(2, _KEY_TIMEOUT_S)
    static = settings.access.environment_keys
    shared = open_shared_keys(settings.ratelimit_storage_uri, STALE_S)
    return KeyAuthenticator(keys, threads, static, shared=shared)


def build_services(
    settings: Settings,
    stores: Stores,
    authenticator: KeyAuthenticator,
    counter: RateCounter,
    check_limiter: Callable[[], bool],
) -> Services:
    """Build them; `check_limiter` is whether `counter` has its store. See build_stores."""
    watch, known, upstreams, painters, catalogue, prices = _offered(settings)
    shared, around, of_batches, ledger = build_accounting(settings, stores, watch, prices, counter)
    judge, optimizer = _judge_and_optimizer(painters, around, catalogue, ledger)
    keys = KeyService(stores.keys, _reads(), authenticator.forget, has_model=catalogue.has)
    pictures = build_pictures(painters, around, judge, optimizer, keys)
    asking = (*pictures.closable, optimizer, catalogue, *upstreams.values())
    return Services(
        catalogue=catalogue,
        chat=_chat(catalogue, ledger, optimizer, judge),
        optimizer=optimizer,
        batches=PromptBatches(optimizer, of_batches),
        images=pictures.images.service,
        loops=pictures.loops,
        judge=judge.service,
        describer=judge.describer,
        tasks=pictures.images.engine,
        alerts=pictures.alerts,
        readiness=build_readiness(settings, stores, keys, check_limiter, upstreams, watch.drain),
        idempotency=IdempotencyService(shared[0]),
        cache=cache_rules(settings),
        items=stores.items,
        reports=ReportService(stores.usage, _reads(), keys.names),
        gauges=build_gauges(stores, ledger, upstreams, painters.clients),
        **_of_admins(stores, authenticator, keys, around),
        files=stores.files,
        lineage=stores.lineage,
        watch=watch,
        spotter=KeySpotter(settings.access.secrets),
        is_demo=settings.uses_bundled_model,
        known_parameters=known | known_image_fields(settings),
        closers=_closers(stores, keys, authenticator, *asking, *shared, watch),
    )


class _OfAdmins(TypedDict):
    keys: KeyService
    audit: AuditService
    budgets: BudgetReader
    groups: GroupService


def _of_admins(
    stores: Stores, authenticator: KeyAuthenticator, keys: KeyService, around: Surroundings
) -> _OfAdmins:
    """Return what admins manage, by the names of Services' fields."""
    return {
        "keys": keys,
        "audit": AuditService(stores.work.audit, stores.work_threads),
        "budgets": around.budgets,
        "groups": GroupService(stores.work.groups, _reads(), authenticator.forget),
    }


def _offered(
    settings: Settings,
) -> tuple[
    DeadlineWatcher, frozenset[str], dict[str, UpstreamClient], Painters, Catalogue, PriceList
]:
    """Build what watches calls, upstreams, the catalogue of models and their prices.

    See `_upstreams` for the second.
    """
    watch = _watch(settings)
    models, prices = config_files.read_models(settings.config_root)
    known, upstreams = _upstreams(settings, watch, models)
    painters = build_painters(settings, models, watch)
    catalogue = _catalogue(settings, models, upstreams, painters)
    return watch, known, upstreams, painters, catalogue, prices


def _closers(
    stores: Stores, keys: KeyService, authenticator: KeyAuthenticator, *calling: Closable | None
) -> list[Callable[[], None]]:
    """Return what ends everything: first what calls, and then what it writes to."""
    stored = (stores.usage, keys, authenticator, stores.work, stores.files, stores.items)
    return [part.close for part in (*calling, *stored) if part is not None]


def _watch(settings: Settings) -> DeadlineWatcher:
    grace = settings.shutdown_grace
    return DeadlineWatcher(Drain(grace.calls, paid_grace=grace.pictures))


def _judge_and_optimizer(
    painters: Painters, around: Surroundings, catalogue: Catalogue, ledger: UsageLedger
) -> tuple[JudgeParts, PromptOptimizer]:
    """Build what sees pictures, and what rewrites prompts and edits of them."""
    settings, stores = around.settings, around.stores
    judge = build_judge(painters, around, catalogue, ledger)
    return judge, PromptOptimizer(
        catalogue,
        ledger,
        config_files.read_targets(settings.config_root),
        Experiment(stores.lineage.late, settings.lineage.control_share, around.prices),
        is_enabled=settings.enable_prompt_optimization,
        kept=build_rewrites(settings, stores, around.watch.drain),
        vision=judge.service,
    )


def _chat(
    catalogue: Catalogue, ledger: UsageLedger, optimizer: PromptOptimizer, judge: JudgeParts
) -> ChatService:
    prompts = PromptChat(catalogue.prompt_models, optimizer, judge.service)
    return ChatService(catalogue, ledger, prompts)


def _reads() -> StoreThreads:
    return StoreThreads(2, READ_TIMEOUT_S, fails_fast=True)


def _upstreams(
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

    painting = image_upstreams(settings, models)
    of_chat = {name: p for name, p in settings.upstreams.items() if name not in painting}
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


def _catalogue(
    settings: Settings,
    models: Sequence[Model],
    upstreams: Mapping[str, UpstreamClient],
    painters: Painters,
) -> Catalogue:
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
        beside=painters.models.offered(),
        image_names=painters.models.names,
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
