"""The commands of `flask --app wsgi`."""

import json
import time
from datetime import UTC, datetime

import click
from flask import Flask
from flask.cli import AppGroup

from llm_api.cli.keys import key_commands
from llm_api.cli.usage import usage_commands
from llm_api.diagnostics import doctor
from llm_api.diagnostics.database import DatabaseExamination
from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.diagnostics.upstream_api import ApiExamination
from llm_api.diagnostics.upstream_route import RouteExamination, Subject
from llm_api.settings import config_files
from llm_api.settings.reader import JUDGE, LOCAL, OPEN_ACCESS, is_loopback
from llm_api.settings.settings import Settings, SettingsError
from llm_api.storage import StoreError
from llm_api.storage.factory import open_key_store, open_store
from llm_api.storage.sql import migrate
from llm_api.upstream.bundled.model import DEFAULT_PORT, BundledModel, weights_of
from llm_api.upstream.vendors.profiles import choose_profile


def register_commands(app: Flask, settings: Settings) -> None:
    """Add the commands to the application."""
    _check_run(settings)
    database = AppGroup("db", help="The database's schema.")

    @database.command("upgrade")
    def upgrade() -> None:
        """Bring the database to the current schema."""
        try:
            migrate.upgrade(settings.database_url, settings.root)
        except StoreError as error:
            raise click.ClickException(str(error)) from error
        click.echo("The database has the current schema.")

    @app.cli.command("local-model")
    @click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65_535))
    def local_model(port: int) -> None:
        """Run the bundled model by itself, for a development server or as a sidecar."""
        _run_local_model(settings, port)

    @app.cli.command("check-config")
    def check_config() -> None:
        """Say whether the settings and the files in config/ are right, without asking anybody."""
        # What is wrong has been said already: without right settings there is no application.
        click.echo("The configuration is right.")

    @app.cli.command("doctor")
    @click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
    @click.pass_context
    def examine(context: click.Context, *, as_json: bool) -> None:
        """Examine settings, upstreams and stores, and say what to do where something is wrong."""
        diagnosis = doctor.examine(_checks(settings))
        click.echo(_as_json(diagnosis) if as_json else _as_lines(diagnosis))
        context.exit(0 if diagnosis.is_well else 1)

    app.cli.add_command(database)
    app.cli.add_command(usage_commands(settings))
    app.cli.add_command(key_commands(settings))


def _check_run(settings: Settings) -> None:
    """Refuse `flask run --host` of a public address while no key is required; raises SettingsError.

    The development server does not listen on BIND.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run" or settings.access.requires_key:
        return
    address = f"{context.params.get('host')}:{context.params.get('port')}"
    if not (is_loopback(address) or settings.access.allows_open_access):
        raise SettingsError([OPEN_ACCESS])


def _checks(settings: Settings) -> list[list[doctor.Check]]:
    """List what there is to examine in this installation, part by part."""
    parts = [[doctor.Check("time-outs", lambda: doctor.order_of_timeouts(settings.timeouts))]]
    parts += [[_profile_check(name, settings)] for name in settings.upstreams]
    parts += [_upstream_checks(name, subject) for name, subject in _subjects(settings)]
    if settings.uses_bundled_model and settings.local_model is None:
        parts.append([doctor.Check("bundled model", lambda: _weights(settings))])
    spool = settings.root / "instance" / "spool"
    return [
        *parts,
        _store_checks(settings),
        doctor.limiter_checks(settings.ratelimit_storage_uri, settings.web_concurrency),
        doctor.spool_checks(spool),
    ]


def _store_checks(settings: Settings) -> list[doctor.Check]:
    """List the checks of where usage rows go, SQL or a store of somebody else's, and of keys."""
    needs: list[str] = []
    if settings.usage_store is None:
        examination = DatabaseExamination(settings.database_url, settings.root)
        checks = doctor.database_checks(examination)
        needs = ["database schema"]
    else:
        checks = [doctor.Check("usage store", lambda: _foreign_store(settings))]
    if settings.access.requires_key:
        checks.append(doctor.Check("keys", lambda: _keys(settings), needs))
    return checks


def _foreign_store(settings: Settings) -> CheckResult:
    try:
        folder = settings.root / "instance"
        store = open_store(settings.database_url, settings.usage_store, folder)
        store.check()
    except StoreError as error:
        return fail(str(error), "Correct USAGE_STORE, or what it names.")
    store.close()
    return ok(f"{settings.usage_store} takes rows.")


def _keys(settings: Settings) -> CheckResult:
    """Look whether there is a key at all; one of the environment needs no store."""
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
    usable = sum(key.is_usable(datetime.now(UTC)) for key in keys)
    if not usable:
        return warn(
            "Every call needs a key, and there is none that opens anything.",
            "Make one with `flask --app wsgi keys create NAME`, or set API_KEYS.",
        )
    return ok(f"{usable} of {len(keys)} keys open the service.")


def _subjects(settings: Settings) -> list[tuple[str, Subject]]:
    """Name the configured upstreams; the bundled model is one where somebody else runs it.

    One with several keys or addresses is as many, each with its number.
    """
    configured = [
        (
            f"{name}/{number}" if len(plan.endpoints) > 1 else name,
            endpoint,
            f"{name.upper()}_LLM_API",
            f"{name.upper()}_LLM_MODEL",
        )
        for name, plan in settings.upstreams.items()
        for number, endpoint in enumerate(plan.endpoints, 1)
    ]
    if settings.uses_bundled_model and settings.local_model is not None:
        # Its model is no setting; a wrong one means that something else listens there.
        configured.append((LOCAL, settings.local_model, "LOCAL_MODEL", "LOCAL_MODEL_URL"))
    return [
        (
            name,
            Subject(
                endpoint,
                settings.timeouts,
                url_setting=f"{prefix}_URL",
                key_setting=f"{prefix}_KEY",
                model_setting=model_setting,
            ),
        )
        for name, endpoint, prefix, model_setting in configured
    ]


def _upstream_checks(name: str, subject: Subject) -> list[doctor.Check]:
    route = RouteExamination(subject)
    api = ApiExamination(subject, route)
    return doctor.upstream_checks(name, route, api, sees_pictures=name.partition("/")[0] == JUDGE)


def _profile_check(name: str, settings: Settings) -> doctor.Check:
    """Tell which vendor profile an upstream has: there is nothing in it that can be wrong."""
    plan = settings.upstreams[name]
    profile = choose_profile(
        config_files.read_profiles(settings.root), plan.endpoints[0].url, plan.profile
    )
    how = "by its setting" if plan.profile else "by the address"
    return doctor.Check(f"{name} profile", lambda: ok(f"It is {profile.name}, chosen {how}."))


def _weights(settings: Settings) -> CheckResult:
    try:
        weights_of(settings.root)
    except FileNotFoundError:
        return fail(
            "No upstream is configured, and the bundled model's weights are not installed.",
            "Set FAST_LLM_API_URL, or install the weights with `make run`.",
        )
    return ok("No upstream is configured; the bundled model's weights are installed.")


def _as_lines(diagnosis: doctor.Diagnosis) -> str:
    width = max(len(title) for title, _ in diagnosis.findings)
    return "\n".join(
        f"{finding.state:<7}  {title:<{width}}  {finding.found} {finding.advice}".rstrip()
        for title, finding in diagnosis.findings
    )


def _as_json(diagnosis: doctor.Diagnosis) -> str:
    checks = [
        {"check": title, "state": finding.state, "found": finding.found, "advice": finding.advice}
        for title, finding in diagnosis.findings
    ]
    return json.dumps({"is_well": diagnosis.is_well, "checks": checks}, indent=2)


def _run_local_model(settings: Settings, port: int) -> None:
    key = settings.local_model.key if settings.local_model else None
    try:
        model = BundledModel(settings.root, port=port, key=key)
    except OSError as error:  # no weights, or the port is taken
        raise click.ClickException(str(error)) from error
    model.start()
    click.echo("The bundled model listens. The service finds it with these lines in .env:")
    click.echo(f"LOCAL_MODEL_URL={model.url}\nLOCAL_MODEL_KEY={model.key}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        model.stop()
