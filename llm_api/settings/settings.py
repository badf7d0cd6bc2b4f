"""The settings of the service: the only reader of the environment.

They come from the environment, then `.env`, then `backend/.env`; the first that has a value wins,
and an empty value counts as none. `definitions` describes them all.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import click
from dotenv import dotenv_values

from llm_api.domain.access import AccessPlan, Limits
from llm_api.domain.calls import Endpoint, Timeouts, UpstreamPlan
from llm_api.domain.files import FilesPlan
from llm_api.domain.lineage import LineagePlan
from llm_api.domain.process_plans import LocalJudgePlan, ShutdownGrace
from llm_api.domain.rewrites import RewritesPlan
from llm_api.domain.tasks import WebhookPlan
from llm_api.runtime import installation
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.reader import FAST, SettingsReader

PROJECT_ROOT = installation.PROJECT_ROOT
HOME_FOLDER = installation.home_folder()


class SettingsError(click.ClickException):
    """The settings are wrong; the message has one line for each, and no secret.

    A ClickException, because `flask --app wsgi …` prints that as a message and not as a traceback.
    """

    def __init__(self, problems: list[str], warnings: Sequence[str] = ()) -> None:
        """Report one sentence for each wrong setting; `warnings` may say why it is."""
        lines = [f"  {sentence}" for sentence in (*problems, *warnings)]
        super().__init__("\n".join(["The settings are wrong:", *lines]))
        self.problems = problems


_DATABASE = "instance/llm_api.db"  # where the settings name none


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured, checked.

    `warnings` are sentences about variables that are probably meant to be settings. `root` is the
    folder that relative paths start from, and that has .env and the service's data.
    """

    upstreams: Mapping[str, UpstreamPlan]
    image_upstream: UpstreamPlan | None
    webhooks: WebhookPlan
    local_model: Endpoint | None
    local_judge: LocalJudgePlan | None
    enable_prompt_optimization: bool
    database_url: str = field(repr=False)
    ratelimit_storage_uri: str = field(repr=False)
    limits: Limits
    access: AccessPlan
    max_calls_in_progress: int
    usage_retention_days: int
    refuse_unrecorded_calls: bool
    usage_store: str | None
    answer_cache_max_seconds: int
    rewrites: RewritesPlan
    lineage: LineagePlan
    files: FilesPlan
    image_result_hosts: tuple[str, ...]
    timeouts: Timeouts
    upstream_concurrency: int
    circuit_breaker: bool
    client_write_timeout: float
    refuse_unknown_parameters: bool
    pass_unknown_parameters: bool
    pass_picture_addresses: bool
    catalogue_only: bool
    bind: str
    web_concurrency: int
    shutdown_grace: ShutdownGrace
    root: Path = HOME_FOLDER
    warnings: tuple[str, ...] = ()

    @property
    def config_root(self) -> Path:
        """The folder whose `config/` is read."""
        return installation.config_root(self.root)

    @property
    def uses_bundled_model(self) -> bool:
        """Whether chat goes to the model that came with the installation."""
        return FAST not in self.upstreams

    @property
    def endpoint_count(self) -> int:
        """Addresses and keys of upstreams: each has connections of its own."""
        count = sum(len(plan.endpoints) for plan in self.upstreams.values())
        return count + self.uses_bundled_model

    @property
    def max_calls_waiting(self) -> int:
        """Calls that may wait for one of those in progress to end."""
        return max(1, self.max_calls_in_progress // 10)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be logged or sent."""
        plans = [*self.upstreams.values(), *([self.image_upstream] if self.image_upstream else [])]
        endpoints = [endpoint for plan in plans for endpoint in plan.endpoints]
        if self.local_model is not None:
            endpoints.append(self.local_model)
        passwords = _passwords(self.database_url) + _passwords(self.ratelimit_storage_uri)
        ours = (*self.access.secrets, self.files.secret_access_key, *self.webhooks.secrets)
        keys = (*(e.key for e in endpoints), *ours)
        return tuple(s for s in (*keys, *passwords) if s)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, root: Path = HOME_FOLDER
    ) -> "Settings":
        """Read and check the settings; raises SettingsError, which names every wrong one."""
        read = SettingsReader(_merged(environ, root))
        access, local_judge = read.access(), read.local_judge(root)
        settings = cls(
            upstreams=read.upstreams(local_judge),
            image_upstream=read.image_upstream(),
            webhooks=WebhookPlan(read.value("WEBHOOK_SECRET"), read.value("WEBHOOK_ALLOW_PRIVATE")),
            local_model=read.local_model(),
            local_judge=local_judge,
            enable_prompt_optimization=read.value("ENABLE_PROMPT_OPTIMIZATION"),
            database_url=read.value("DATABASE_URL") or f"sqlite:///{root / _DATABASE}",
            ratelimit_storage_uri=read.value("RATELIMIT_STORAGE_URI"),
            limits=read.limits(),
            access=access,
            max_calls_in_progress=read.value("MAX_CALLS_IN_PROGRESS"),
            usage_retention_days=read.value("USAGE_RETENTION_DAYS"),
            refuse_unrecorded_calls=read.value("REFUSE_UNRECORDED_CALLS"),
            usage_store=read.value("USAGE_STORE"),
            answer_cache_max_seconds=read.value("ANSWER_CACHE_MAX_SECONDS"),
            rewrites=read.rewrites(),
            lineage=read.lineage(),
            files=read.files(root / "instance" / "files"),
            image_result_hosts=read.value("IMAGE_RESULT_HOSTS"),
            timeouts=read.timeouts(),
            upstream_concurrency=read.value("UPSTREAM_CONCURRENCY"),
            circuit_breaker=read.value("CIRCUIT_BREAKER"),
            client_write_timeout=read.value("CLIENT_WRITE_TIMEOUT"),
            refuse_unknown_parameters=read.value("REFUSE_UNKNOWN_PARAMETERS"),
            pass_unknown_parameters=read.value("PASS_UNKNOWN_PARAMETERS"),
            pass_picture_addresses=read.value("PASS_PICTURE_ADDRESSES"),
            catalogue_only=read.value("CATALOGUE_ONLY"),
            bind=read.bind(access),
            web_concurrency=read.value("WEB_CONCURRENCY"),
            shutdown_grace=read.shutdown_grace(),
            root=root,
        )
        return _checked(replace(settings, warnings=read.warnings()), read.problems)


def _checked(settings: Settings, problems: list[str]) -> Settings:
    if problems:
        raise SettingsError(problems, settings.warnings)
    return settings


def _merged(environ: Mapping[str, str] | None, root: Path) -> dict[str, str]:
    """Put the three sources together, the strongest last; empty values are left out.

    The strongest is `environ`; None stands for the process's variables.
    """
    merged: dict[str, str] = {}
    given = os.environ if environ is None else environ
    sources = [_file(root, "backend/.env"), _file(root, ".env"), given]
    _refuse_empty_secrets(sources)
    for source in sources:
        merged.update({name: text.strip() for name, text in source.items() if text.strip()})
    return merged


def _file(root: Path, name: str) -> dict[str, str]:
    try:
        values = dotenv_values(root / name, interpolate=False)
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError([f"{name} must be a readable text file in UTF-8."]) from error
    return {setting: text for setting, text in values.items() if text is not None}


def _refuse_empty_secrets(sources: Sequence[Mapping[str, str]]) -> None:
    """Refuse empty values of settings that would restrict access, as they would leave it open."""
    empty = [
        name
        for name, setting in SETTINGS.items()
        if setting.refuses_empty and any(not source.get(name, name).strip() for source in sources)
    ]
    if empty:
        raise SettingsError(
            [f"{name} is set and empty; leave it out, or set it." for name in empty]
        )


def _passwords(url: str) -> tuple[str, ...]:
    """Return the passwords in a URL, as they are written and as they are meant."""
    parts = urlsplit(url)
    written = parts.password or ""
    return (written, unquote(written), *parse_qs(parts.query).get("password", []))
