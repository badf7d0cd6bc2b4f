"""Assembles the Flask application: hooks, routes, error handlers, WSGI layers, in their order."""

from wsgiref.types import WSGIApplication

from flask import Flask

import llm_api
from llm_api.cli.commands import Commands
from llm_api.container import build_services, build_sessions, build_stores
from llm_api.observability import logging
from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.tracing.traces import Traces
from llm_api.settings.settings import Settings
from llm_api.web import health, idempotency, lifecycle, metrics
from llm_api.web.access import rate_limits
from llm_api.web.access.authentication import AccessControl
from llm_api.web.anthropic import routes as anthropic_routes
from llm_api.web.console import (
    assets,
    console_routes,
    failure_page,
    operate,
    pages,
    sign_in,
    usage_routes,
)
from llm_api.web.dialects.answering import STRICT_SETTING
from llm_api.web.middleware import write_timeout
from llm_api.web.middleware.load_shedding import LoadShedder
from llm_api.web.middleware.security_headers import SecurityHeaders
from llm_api.web.middleware.trusted_proxies import ProxyNotice, TrustedProxies
from llm_api.web.openai import routes as openai_routes
from llm_api.web.openai.images import routes as openai_image_routes
from llm_api.web.openai.responses import routes as responses_routes
from llm_api.web.openai.videos import routes as openai_video_routes
from llm_api.web.request.context import EXTENSION, Services
from llm_api.web.request_traces import RequestTraces
from llm_api.web.response import errors
from llm_api.web.rest import audit, groups, own_key, usage
from llm_api.web.rest import files as rest_files
from llm_api.web.rest import keys as rest_keys
from llm_api.web.rest import routes as rest_routes
from llm_api.web.rest.descriptions import routes as description_routes
from llm_api.web.rest.images import routes as rest_image_routes
from llm_api.web.rest.judge import routes as judge_routes
from llm_api.web.rest.lineage import routes as lineage_routes
from llm_api.web.rest.videos import routes as rest_video_routes
from llm_api.web.smorest import SECURITY, Api

# Of the time until a worker is killed, for what is left to do behind the last spans.
_KILL_MARGIN_S = 0.5


def create_app(settings: Settings) -> Flask:
    """Build the application; nothing is connected or started yet. Raises SettingsError.

    The order of the hooks matters: a request is authenticated before the limiter, which counts by
    key, and refused behind it, so that wrong keys are counted, too.
    """
    app = lifecycle.Application(__name__)
    logging.configure_logging(settings.secrets, settings.log_format)
    app.cli = Commands(settings)  # flask-smorest adds one of its own
    _register_routes(app, requires_key=settings.access.requires_key)
    stores = build_stores(settings)
    app.extensions["llm_api_traces"] = traces = Traces(settings.tracing)
    requests = RequestTraces(app, traces)
    lifecycle.register_hooks(app, stores.metrics)
    idempotency.register_teardown(app)
    app.config[write_timeout.TIMEOUT_SETTING] = settings.client_write_timeout
    sessions = build_sessions(settings, stores)
    access = AccessControl(sessions, requires_key=settings.access.requires_key)
    access.register_identify(app)
    requests.register_begin(app)
    limiter, counter = rate_limits.init_limiter(
        app, storage_uri=settings.ratelimit_storage_uri, rate_limit=settings.limits.requests or ""
    )
    access.register_require(app)
    app.config[STRICT_SETTING] = settings.refuse_unknown_parameters
    app.config[sign_in.KEY_SETTING] = settings.access.requires_key
    app.extensions["llm_api_limiter"] = limiter
    app.extensions.update(
        llm_api_spool=stores.spool,
        llm_api_lineage_spool=stores.lineage_spool,
        llm_api_retention=stores.retention,
        llm_api_file_retention=stores.file_retention,
    )
    services = app.extensions[EXTENSION] = build_services(
        settings, stores, sessions, counter, limiter.storage.check, traces
    )
    app.extensions[errors.PAGE_OF_ERROR] = lambda error: failure_page.show(error)  # noqa: PLW0108  # to name it loads its module
    errors.register_error_handlers(app)
    app.wsgi_app = _layered(app.wsgi_app, settings, services)  # type: ignore[assignment, method-assign]  # as Flask's documentation does it
    return app


def _layered(wsgi: WSGIApplication, settings: Settings, services: Services) -> WSGIApplication:
    """Put layers around Flask; the last is the outermost: refusals, too, have security headers."""
    access = settings.access
    if access.trusted_proxies:
        wsgi = TrustedProxies(wsgi, access.trusted_proxies)
    elif not access.requires_key:
        wsgi = ProxyNotice(wsgi)
    in_progress, waiting = settings.max_calls_in_progress, settings.max_calls_waiting
    shedder = LoadShedder(
        wsgi,
        max_active=in_progress,
        max_waiting=waiting,
        trusts_ids=access.trusted_proxies > 0,
        on_refusal=lambda: services.metrics.of(catalogue.SHED).inc(),
    )
    services.gauges.add(catalogue.IN_PROGRESS, lambda: shedder.active)
    services.gauges.add(catalogue.WAITING, lambda: shedder.waiting)
    return SecurityHeaders(shedder, access.cors_origins)


def close_app(app: Flask) -> None:
    """Write the last usage rows, close every connection, and send the last spans."""
    drain = app.extensions[EXTENSION].watch.drain
    app.extensions[EXTENSION].gauges.close()
    app.extensions[EXTENSION].tasks.close()
    app.extensions["llm_api_file_retention"].close()
    app.extensions["llm_api_retention"].close()
    app.extensions["llm_api_spool"].close()
    app.extensions[EXTENSION].lineage.late.close()
    app.extensions["llm_api_lineage_spool"].close()
    app.extensions[EXTENSION].close()
    rate_limits.close_limiter(app.extensions["llm_api_limiter"])
    app.extensions["llm_api_traces"].close(drain.seconds_left - _KILL_MARGIN_S)


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
        # Where the document came from: the service does not know its own name.
        "servers": [{"url": "/"}],
    }
    api = Api(app, spec_kwargs=description)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    api.register_blueprint(rest_routes.blueprint)
    api.register_blueprint(rest_image_routes.blueprint)
    api.register_blueprint(rest_video_routes.blueprint)
    api.register_blueprint(judge_routes.blueprint)
    api.register_blueprint(description_routes.blueprint)
    api.register_blueprint(usage.blueprint)
    api.register_blueprint(lineage_routes.blueprint)
    api.register_blueprint(rest_keys.blueprint)
    api.register_blueprint(own_key.blueprint)
    api.register_blueprint(audit.blueprint)
    api.register_blueprint(groups.blueprint)
    api.register_blueprint(rest_files.blueprint)
    api.register_blueprint(openai_routes.blueprint)
    api.register_blueprint(openai_image_routes.blueprint)
    api.register_blueprint(openai_video_routes.blueprint)
    api.register_blueprint(responses_routes.blueprint)
    api.register_blueprint(anthropic_routes.blueprint)
    api.finish()
    console = (pages.blueprint, pages.swagger_ui, assets.blueprint, console_routes.blueprint)
    operated = (sign_in.blueprint, usage_routes.blueprint, operate.blueprint)
    for blueprint in (health.blueprint, metrics.blueprint, *console, *operated):
        app.register_blueprint(blueprint)
