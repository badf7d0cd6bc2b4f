"""How gunicorn serves the application: `gunicorn -c gunicorn.conf.py wsgi:app`.

This file runs in the master, before any worker exists. It imports nothing that must be patched by
gevent first (requests, urllib3, SQLAlchemy): the workers import the application after the patch.
"""

import contextlib
import ctypes
import gc
import os
import sys
from functools import partial

from llm_api.observability.logging import logging_config
from llm_api.runtime.drain import drain_on_sigterm
from llm_api.runtime.file_limits import connections_within_limit
from llm_api.runtime.late_imports import import_late
from llm_api.server.greeting import greeting
from llm_api.server.reloading import Reloader, hold_files
from llm_api.server.shared_metrics import FOLDER_VARIABLE, SharedMetrics
from llm_api.settings.reader import OPEN_ACCESS, is_loopback
from llm_api.settings.settings import HOME_FOLDER, PROJECT_ROOT, Settings, SettingsError
from llm_api.storage.redis import is_shared
from llm_api.upstream.bundled_model.local_judge import LocalJudge
from llm_api.upstream.bundled_model.model import BundledModel

# What workers read, whenever they start: this file is run again on SIGHUP, with what that has held.
hold_files(HOME_FOLDER)
try:
    settings = Settings.from_env()
except SettingsError as error:
    # Here and not in a worker, whose failure the master would answer with new workers without end.
    sys.exit(error.message)

# The code and the service's folder are found from wherever gunicorn is started.
chdir = str(settings.root)
pythonpath = str(PROJECT_ROOT)
bind = settings.bind
workers = settings.web_concurrency

# A waiting call costs a greenlet instead of a thread: slow upstreams and slow or hostile clients
# occupy nothing, and a full core degrades evenly (docs/decisions/0002-gevent.md).
worker_class = "llm_api.server.gunicorn_worker.DrainingGeventWorker"
# Calls and idle connections a worker holds at once, as far as its file descriptors go; others wait
# in the kernel's queue. 2,000 waiting calls need about 170 MiB. Those over MAX_CALLS_IN_PROGRESS
# must get in as well: a client that waits in the kernel's queue cannot be refused.
worker_connections = connections_within_limit(
    max(2_000, 2 * settings.max_calls_in_progress), settings.endpoint_count
)
# A worker whose loop stands still for so long is replaced. Waiting calls do not stop the loop.
timeout = 30
# After SIGTERM, calls in progress have so long to end; llm_api/runtime/drain.py ends the rest a
# little earlier.
graceful_timeout = settings.shutdown_grace.longest
# Longer than the 60 s for which common proxies and SDKs keep an idle connection open: the side that
# closes first should be theirs.
keepalive = 75

# No header may move the application to another path: `SCRIPT_NAME: /zz` made every answer a 500.
forwarder_headers = ""
# gunicorn's default believes any client on this machine that says it speaks TLS;
# llm_api/web/middleware/trusted_proxies.py decides whom to believe.
secure_scheme_headers = {}
# The default opens a control socket in the home folder, which this service has no use for.
control_socket_disable = True
M_ARENA_MAX = -8  # https://man7.org/linux/man-pages/man3/mallopt.3.html
# Each request is logged once, by the application, with its id.
accesslog = None
logger_class = "llm_api.server.gunicorn_worker.ServiceLogger"
logconfig_dict = logging_config(settings.secrets, settings.log_format)


def on_starting(server):
    """Start the models of this machine that are wanted; they load while workers start."""
    _check_access(server)
    _check_connections(server)
    _share_metrics(server)
    for sentence in settings.warnings:
        server.log.warning("%s", sentence)
    Reloader(server, settings.root, partial(_addresses, server)).install()
    if workers > 1 and not is_shared(settings.ratelimit_storage_uri):
        server.log.warning(
            "RATELIMIT_STORAGE_URI is memory://: each of the %d workers counts for itself, so that"
            " a client has up to %d times its limits. Redis counts exactly.",
            workers,
            workers,
        )
    server.local_models = {}
    judge = settings.local_judge
    if judge is not None and judge.endpoint is None:
        _start(server, "LOCAL_JUDGE", partial(LocalJudge, judge))
    if not settings.uses_bundled_model:
        return
    server.log.warning(
        "No upstream is configured: using the bundled SmolLM2-135M, which is of DEMO QUALITY."
        " Set FAST_LLM_API_URL, FAST_LLM_API_KEY and FAST_LLM_MODEL for a real one."
    )
    if settings.local_model is None:
        _start(server, "LOCAL_MODEL", partial(BundledModel, settings.root))


def _share_metrics(server):
    """Make the folder in which workers count together, and serve it where METRICS_BIND says."""
    try:
        server.metrics = SharedMetrics(settings.instance / "metrics", settings.metrics_bind)
    except OSError as error:
        sys.exit(f"METRICS_BIND: cannot listen on {settings.metrics_bind} ({error.strerror}).")
    # Set by hand, it would name a folder that others count in.
    os.environ.pop(FOLDER_VARIABLE, None)
    if server.metrics.folder is not None:
        os.environ[FOLDER_VARIABLE] = str(server.metrics.folder)


def when_ready(server):
    """Check the addresses again now that the sockets are open: systemd may have passed them."""
    _check_access(server)
    has_model = settings.local_model is not None or "LOCAL_MODEL" in server.local_models
    sentence = greeting(_addresses(server), settings, has_bundled_model=has_model)
    server.log.info("%s", sentence)


def _addresses(server):
    """Return the addresses that the service listens on or will, in the form of BIND."""
    names = [listener.getsockname() for listener in server.LISTENERS] or server.cfg.address
    return [f"{a[0]}:{a[1]}" if isinstance(a, tuple) else f"unix:{a}" for a in names]


def _check_access(server):
    """Refuse open access through an address that BIND does not name, such as --bind's."""
    addresses = _addresses(server)
    is_open = not settings.access.requires_key and not all(map(is_loopback, addresses))
    if not is_open or getattr(server, "is_open", False):
        return
    if not settings.access.allows_open_access:
        sys.exit(SettingsError([OPEN_ACCESS]).message)
    server.is_open = True
    server.log.warning(
        "ANYBODY CAN CALL THIS SERVICE at %s, and spend your money at its upstreams: no key is"
        " required. Set REQUIRE_API_KEY=true to require one.",
        ", ".join(address for address in addresses if not is_loopback(address)),
    )


def _check_connections(server):
    wanted = settings.max_calls_in_progress + settings.max_calls_waiting
    if server.cfg.worker_connections <= wanted:
        server.log.warning(
            "A worker accepts %d connections (--worker-connections, or the limit on open files:"
            " ulimit -n), too few for MAX_CALLS_IN_PROGRESS=%d and the %d that may wait: further"
            " clients will wait for a connection instead of being refused.",
            server.cfg.worker_connections,
            settings.max_calls_in_progress,
            settings.max_calls_waiting,
        )


def _start(server, prefix, make):
    """Start a model of this machine, and have the workers find it by the settings of its prefix."""
    try:
        model = make()
    except OSError as error:
        server.log.error("%s", error)  # noqa: TRY400  # the sentence says all
        return
    model.start()
    # On the server object: this file runs again on SIGHUP, with new variables.
    server.local_models[prefix] = model
    # The workers inherit these, as if the model had been started by hand.
    os.environ[f"{prefix}_URL"] = model.url
    os.environ[f"{prefix}_KEY"] = model.key
    os.environ[f"{prefix}_KEY_FILE"] = ""  # that of another one, which does not run


def _share_one_arena():
    """Have native threads share glibc's memory: each would set 64 MiB of addresses aside.

    Where `ulimit -v` is low, the third could not be started then, and no call could connect.
    """
    with contextlib.suppress(AttributeError, OSError):  # other libraries have no such choice
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def pre_fork(server, worker):
    """Let the worker share what the master has loaded."""
    # A collection in the worker would write into every object, and so copy every page: 3.5 MiB.
    gc.freeze()
    taken = [getattr(other, "slot", None) for other in server.WORKERS.values()]
    worker.metrics_folder = server.metrics.folder
    worker.slot = server.metrics.free_slot(slot for slot in taken if slot is not None)


def post_fork(server, worker):
    """Load the application without looking through all of it again and again."""
    _share_one_arena()
    import_late()
    # A tenth of the time went into that. Garbage that is new is collected: 1 MiB would be left.
    gc.set_threshold(20_000, 10, 1_000_000)


def post_worker_init(worker):
    """Connect the worker's end with the application's, and start its background threads."""
    # It may load packages, which the garbage collector would look through again and again below.
    worker.wsgi.extensions["llm_api_traces"].start()
    # What is loaded now lives as long as the worker: the garbage collector need not scan it.
    gc.collect()
    gc.freeze()
    # A call leaves no cycle behind: looking for some every 700 new objects finds nothing.
    gc.set_threshold(10_000, 10, 10)
    worker.drain = worker.wsgi.extensions["llm_api"].watch.drain
    drain_on_sigterm(worker.drain)
    worker.wsgi.extensions["llm_api"].metrics.share(worker.metrics_folder, worker.slot)
    worker.wsgi.extensions["llm_api"].gauges.start()
    worker.wsgi.extensions["llm_api_spool"].start()
    worker.wsgi.extensions["llm_api_lineage_spool"].start()
    worker.wsgi.extensions["llm_api_retention"].start()
    worker.wsgi.extensions["llm_api_file_retention"].start()
    worker.wsgi.extensions["llm_api"].tasks.start()
    worker.wsgi.extensions["llm_api"].alerts.start()
    # One worker of each start or reload speaks for all; /readyz says the same at any time.
    if (worker.age - 1) % workers == 0:
        for part in ("database", "usage"):
            worker.wsgi.extensions["llm_api"].readiness.report(part)


def child_exit(server, worker):
    """Forget what a worker that is gone has shown of the moment."""
    server.metrics.forget(worker.slot)


def worker_exit(server, worker):
    """Write the last usage rows."""
    if (app := getattr(worker, "wsgi", None)) is not None:  # it is not there after a failed start
        # Not at the top: the master must not import the application.
        from llm_api.app import close_app  # noqa: PLC0415

        close_app(app)


def pre_exec(server):
    """Let a new master (SIGUSR2) start its own models: these end with the old master."""
    for prefix in getattr(server, "local_models", {}):
        for name in (f"{prefix}_URL", f"{prefix}_KEY"):
            # gunicorn starts it with this environment, which a SIGHUP takes over from os.environ.
            server.cfg.env_orig.pop(name, None)


def on_exit(server):
    """End the models of this machine, and remove what workers have counted."""
    server.metrics.close()
    for model in getattr(server, "local_models", {}).values():
        model.stop()
