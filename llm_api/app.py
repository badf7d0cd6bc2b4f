"""Builds the application: the only file that knows every other."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from flask_limiter import Limiter

import llm_api
from llm_api.cli import commands
from llm_api.domain.calls import Model, UpstreamPlan
from llm_api.domain.key_format import KeySpotter
from llm_api.observability import logging
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.runtime.drain import Drain
from llm_api.services.chat import ChatService
from llm_api.services.idempotency import IdempotencyService
from llm_api.services.keys.authenticator import KeyAuthenticator
from llm_api.services.keys.service import KeyService
from llm_api.services.pricing import PriceList
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.quotas.budgets import BudgetService
from llm_api.services.quotas.enforcer import QuotaEnforcer
from llm_api.services.quotas.rate_counter import RateCounter
from llm_api.services.readiness import ReadinessService
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.services.usage.reports import ReportService
from llm_api.settings import config_files
from llm_api.settings.reader import FAST, JUDGE, LOCAL
from llm_api.settings.settings import Settings, SettingsError
from llm_api.storage import KeyStore, StoreError, UsageStore
from llm_api.storage.factory import budgets_of, open_key_store, open_store
from llm_api.storage.redis import is_shared
from llm_api.storage.redis.concurrency import MemoryConcurrency, RedisConcurrency
from llm_api.storage.redis.shared_answers import RedisAnswers
from llm_api.storage.retention import RetentionJob
from llm_api.storage.spool.spool import Spool
from llm_api.storage.threads import StoreThreads
from llm_api.upstream.bundled.model import default_endpoint
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import Profile, choose_profile
from llm_api.upstream.vendors.traits import BUNDLED_MODEL, UpstreamBehavior
from llm_api.web import health, idempotency, lifecycle
from llm_api.web.console import pages
from llm_api.web.middleware import write_timeout
from llm_api.web.middleware.load_shedding import LoadShedder
from llm_api.web.middleware.security_headers import SecurityHeaders
from llm_api.web.middleware.trusted_proxies import TrustedProxies
from llm_api.web.openai import routes as openai_routes
from llm_api.web.request import rate_limits
from llm_api.web.request.authentication import AccessControl
from llm_api.web.request.context import EXTENSION, Services
from llm_api.web.response import errors
from llm_api.web.rest import keys as rest_keys
from llm_api.web.rest import routes as rest_routes
from llm_api.web.rest import usage
from llm_api.web.smorest import SECURITY, Api

# A little more than a statement may take: the server's own bound is to end it first.
_READ_TIMEOUT_S = 6.0
# A caller whose key is known waits no longer when the database does not answer.
_KEY_TIMEOUT_S = 2.0
_BUDGET_THREADS = 4


def create_app(settings: Settings) -> Flask:
    """Build the application with everything that it needs; nothing is connected or started yet."""
    app = Flask(__name__, static_folder=None)
    logging.configure_logging(settings.secrets)
    store, keys = _stores(settings)
    threads = StoreThreads(2)  # spool and retention; without a time-out, as no client waits
    spool = Spool(_spool_folder(settings), store, threads, refuses=settings.refuse_unrecorded_calls)
    app.extensions["llm_api_spool"] = spool
    app.extensions["llm_api_upkeep"] = RetentionJob(
        _spool_folder(settings), store, threads, settings.usage_retention_days
    )
    lifecycle.register_hooks(app)
    idempotency.register_teardown(app)
    write_timeout.register_write_timeout(app, settings.client_write_timeout)
    ring = KeyAuthenticator(keys, StoreThreads(2, _KEY_TIMEOUT_S), settings.access.environment_keys)
    door = AccessControl(ring, requires_key=settings.access.requires_key)
    door.register_identify(app)
    limiter, counter = rate_limits.init_limiter(
        app, storage_uri=settings.ratelimit_storage_uri, rate_limit=settings.limits.requests or ""
    )
    door.register_require(app)
    app.config[openai_routes.STRICT_SETTING] = settings.refuse_unknown_parameters
    app.extensions[EXTENSION] = _services(
        settings, store, spool, limiter, counter, KeyService(keys, _reads(), ring.forget)
    )
    _register_routes(app, requires_key=settings.access.requires_key)
    errors.register_error_handlers(app)
    commands.register_commands(app, settings)
    _surround(app, settings)
    return app


def _surround(app: Flask, settings: Settings) -> None:
    """Put around the application what sees every answer, or must cost next to nothing.

    The last is the outermost.
    """
    wsgi = app.wsgi_app
    if settings.access.trusted_proxies:
        wsgi = TrustedProxies(wsgi, settings.access.trusted_proxies)
    active, waiting = settings.max_calls_in_progress, settings.max_calls_waiting
    wsgi = LoadShedder(wsgi, max_active=active, max_waiting=waiting)
    app.wsgi_app = SecurityHeaders(wsgi, settings.access.cors_origins)  # type: ignore[method-assign]  # as Flask's documentation does it


def _stores(settings: Settings) -> tuple[UsageStore, KeyStore]:
    try:
        folder = settings.root / "instance"
        return (
            open_store(settings.database_url, settings.usage_store, folder),
            open_key_store(settings.database_url),
        )
    except StoreError as error:
        raise SettingsError([str(error)]) from error


def _reads() -> StoreThreads:
    return StoreThreads(2, _READ_TIMEOUT_S, fails_fast=True)


def close_app(app: Flask) -> None:
    """Write the last usage rows and let go of every connection."""
    app.extensions["llm_api_upkeep"].close()
    app.extensions["llm_api_spool"].close()
    app.extensions[EXTENSION].close()


def _spool_folder(settings: Settings) -> Path:
    """Return the folder for the rows of one store, so that no other takes them up."""
    address = urlsplit(settings.database_url)
    sql = f"{address.username}@{address.hostname}:{address.port}{address.path}"
    place = settings.usage_store or sql
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    return settings.root / "instance" / "spool" / name


def _services(
    settings: Settings,
    store: UsageStore,
    spool: Spool,
    limiter: Limiter,
    counter: RateCounter,
    keys: KeyService,
) -> Services:
    watch = DeadlineWatcher(Drain(settings.shutdown_grace))
    upstreams = _upstreams(settings, watch)
    fast = upstreams[LOCAL if settings.uses_bundled_model else FAST]
    models, prices = config_files.read_models(settings.root)
    catalogue = _catalogue(settings, models, upstreams, fast)
    shared, slots = _shared(settings.ratelimit_storage_uri)
    budgets = _budgets(store, prices)
    ledger = UsageLedger(spool, prices, QuotaEnforcer(counter, slots, budgets, settings.limits))
    closers = [upstream.close for upstream in upstreams.values()]
    closers += [one.close for one in (shared, slots) if one is not None]
    checks = _checks(store, spool, limiter, fast)
    if settings.usage_store and settings.access.requires_key:  # else they are in that database
        checks["keys"] = partial(
            _check_store, keys, StoreThreads(1, _READ_TIMEOUT_S, fails_fast=True)
        )
    return Services(
        catalogue=catalogue,
        chat=ChatService(catalogue, ledger),
        optimizer=PromptOptimizer(
            catalogue,
            ledger,
            config_files.read_targets(settings.root),
            is_enabled=settings.enable_prompt_optimization,
        ),
        readiness=ReadinessService(checks, is_ending=lambda: watch.drain.is_draining),
        replays=IdempotencyService(shared),
        reports=ReportService(store, _reads()),
        keys=keys,
        watch=watch,
        spotter=KeySpotter(settings.access.secrets),
        is_demo=settings.uses_bundled_model,
        closers=(*closers, watch.close, store.close, keys.close),
    )


def _budgets(store: UsageStore, prices: PriceList) -> BudgetService:
    threads = StoreThreads(_BUDGET_THREADS, _READ_TIMEOUT_S)
    return BudgetService(budgets_of(store), prices, threads)


def _upstreams(settings: Settings, watch: DeadlineWatcher) -> dict[str, UpstreamClient]:
    profiles = config_files.read_profiles(settings.root)

    def client(plan: UpstreamPlan, traits: UpstreamBehavior) -> UpstreamClient:
        policy = RetryPolicy(
            processes=settings.web_concurrency, has_breaker=settings.circuit_breaker
        )
        # The addresses of one upstream are of one vendor: the first speaks for all.
        profile = choose_profile(profiles, plan.endpoints[0].url, plan.profile)
        return UpstreamClient(plan, traits, settings.timeouts, watch, profile, policy=policy)

    _check_profiles(settings, profiles)
    upstreams = {
        name: client(plan, UpstreamBehavior(name, max_concurrency=settings.upstream_concurrency))
        for name, plan in settings.upstreams.items()
    }
    if settings.uses_bundled_model:
        plan = UpstreamPlan((settings.local_model or default_endpoint(),), profile="llama-cpp")
        # One model serves all workers: they share its places.
        places = max(1, BUNDLED_MODEL.max_concurrency // settings.web_concurrency)
        upstreams[LOCAL] = client(plan, replace(BUNDLED_MODEL, max_concurrency=places))
    return upstreams


def _check_profiles(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    problems = [
        f"{name.upper()}_LLM_PROFILE must be one of {', '.join(profiles)}."
        for name, plan in settings.upstreams.items()
        if plan.profile is not None and plan.profile not in profiles
    ]
    if problems:
        raise SettingsError(problems)


def _catalogue(
    settings: Settings,
    models: Sequence[Model],
    upstreams: Mapping[str, UpstreamClient],
    fast: UpstreamClient,
) -> Catalogue:
    fallbacks = {name: plan.fallback for name, plan in settings.upstreams.items()}
    # A name that is known and not configured is passed over; one that nobody knows is a mistake.
    known = {FAST, JUDGE, LOCAL, *upstreams, *(model.id for model in models)}
    known |= {upstream.default_model for upstream in upstreams.values()}
    right = "names of upstreams or of models in config/models.toml"
    problems = [
        f"{name.upper()}_LLM_FALLBACK must be {right}."
        for name, others in fallbacks.items()
        if not known.issuperset(others)
    ]
    problems += [
        f"{config_files.MODELS}, models.{model.id}: fallback and longer_context must be {right}."
        for model in models
        if not known.issuperset([*model.fallback, *filter(None, [model.longer_context])])
    ]
    if problems:
        raise SettingsError(problems)
    return Catalogue(
        models,
        upstreams,
        fast,
        fallbacks=fallbacks,
        is_closed=settings.catalogue_only,
        spotter=KeySpotter(settings.access.secrets),
    )


def _shared(storage_uri: str) -> tuple[RedisAnswers | None, MemoryConcurrency | RedisConcurrency]:
    """Make what processes share, where there is a Redis for it."""
    if not is_shared(storage_uri):
        return None, MemoryConcurrency()
    return RedisAnswers(storage_uri), RedisConcurrency(storage_uri)


def _register_routes(app: Flask, *, requires_key: bool) -> None:
    app.config.update(
        API_TITLE="llm_api",
        API_VERSION=llm_api.__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    description = {
        "info": {"description": llm_api.__doc__},
        "security": SECURITY if requires_key else [{}, *SECURITY],
    }
    api = Api(app, spec_kwargs=description)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    api.register_blueprint(rest_routes.blueprint)
    api.register_blueprint(usage.blueprint)
    api.register_blueprint(rest_keys.blueprint)
    api.register_blueprint(openai_routes.blueprint)
    for blueprint in (health.blueprint, pages.blueprint, pages.swagger_ui):
        app.register_blueprint(blueprint)


def _checks(
    store: UsageStore, spool: Spool, limiter: Limiter, fast: UpstreamClient
) -> dict[str, Callable[[], str]]:
    return {
        "database": partial(_check_store, store, StoreThreads(1, _READ_TIMEOUT_S, fails_fast=True)),
        "usage": lambda: "ok" if spool.is_saving else "rows cannot be saved: is the disk full?",
        "limiter": lambda: "ok" if limiter.storage.check() else "unreachable",
        "upstream": fast.probe,
    }


def _check_store(store: UsageStore | KeyService, threads: StoreThreads) -> str:
    try:
        threads.run(store.check)
    except StoreError as error:
        return str(error)
    return "ok"
