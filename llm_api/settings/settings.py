"""The settings of the service: the only reader of the environment.

`sources` says where they come from; `definitions` describes them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import click

from llm_api.domain.access import AccessPlan, Limits
from llm_api.domain.files import FilesPlan
from llm_api.domain.lineage import LineagePlan
from llm_api.domain.process_plans import LocalJudgePlan, RemoteService, ShutdownGrace
from llm_api.domain.redis_addresses import parse_nodes
from llm_api.domain.rewrites import RewritesPlan
from llm_api.domain.tasks import WebhookPlan
from llm_api.domain.tracing import TracingPlan
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.runtime import installation
from llm_api.settings.reader import FAST, SettingsReader
from llm_api.settings.sources import config_root, gathered

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

    @property
    def line(self) -> str:
        """The message for a log, where each message is one line."""
        return " ".join(self.message.split())


# Settings that are fields of the same name.
_AS_THEY_ARE = (
    "ENABLE_PROMPT_OPTIMIZATION",
    "RATELIMIT_STORAGE_URI",
    "MAX_CALLS_IN_PROGRESS",
    "USAGE_RETENTION_DAYS",
    "AUDIT_RETENTION_DAYS",
    "REFUSE_UNRECORDED_CALLS",
    "USAGE_STORE",
    "ANSWER_CACHE_MAX_SECONDS",
    "IMAGE_RESULT_HOSTS",
    "UPSTREAM_CONCURRENCY",
    "CIRCUIT_BREAKER",
    "CLIENT_WRITE_TIMEOUT",
    "REFUSE_UNKNOWN_PARAMETERS",
    "PASS_UNKNOWN_PARAMETERS",
    "PASS_PICTURE_ADDRESSES",
    "CATALOGUE_ONLY",
    "WEB_CONCURRENCY",
    "LOG_FORMAT",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured, checked.

    Attributes:
        instance: the folder below which everything is written.
        root: the folder that relative paths start from, and that has `.env`; it may be read-only.
        warnings: sentences about variables that are probably meant to be settings.
    """

    instance: Path
    upstreams: Mapping[str, UpstreamPlan]
    image_upstream: UpstreamPlan | None
    video_upstream: UpstreamPlan | None
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
    audit_retention_days: int
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
    log_format: str
    shutdown_grace: ShutdownGrace
    remote: RemoteService
    metrics_bind: str | None = None
    reports_database_url: str | None = field(default=None, repr=False)
    root: Path = HOME_FOLDER
    tracing: TracingPlan | None = None
    warnings: tuple[str, ...] = ()

    @property
    def config_root(self) -> Path:
        """The folder whose `config/` is read."""
        return config_root(self.root)

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
    def making_upstreams(self) -> Mapping[str, UpstreamPlan]:
        """The upstreams of the image model and the video model, as far as they are there."""
        plans = {"image": self.image_upstream, "video": self.video_upstream}
        return {name: plan for name, plan in plans.items() if plan is not None}

    @property
    def made_by_name(self) -> Mapping[str, str]:
        """What their models make, `image` or `video`, by the names of those."""
        return {plan.model: kind for kind, plan in self.making_upstreams.items()}

    @property
    def max_calls_waiting(self) -> int:
        """Calls that may wait for one of those in progress to end."""
        return max(1, self.max_calls_in_progress // 10)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be logged or sent."""
        plans = [*self.upstreams.values(), *self.making_upstreams.values()]
        endpoints = [endpoint for plan in plans for endpoint in plan.endpoints]
        if self.local_model is not None:
            endpoints.append(self.local_model)
        stores = (self.database_url, self.reports_database_url or "", self.usage_store or "")
        urls = (*stores, self.ratelimit_storage_uri)
        passwords = [text for url in urls for text in _passwords(url)]
        hooks = (*self.webhooks.secrets, *self.webhooks.alert_urls)
        headers = () if self.tracing is None else self.tracing.headers.values()
        ours = (
            *self.access.secrets,
            self.files.secret_access_key,
            *hooks,
            *headers,
            self.remote.key,
        )
        keys = (*(e.key for e in endpoints), *ours)
        return tuple(s for s in (*keys, *passwords) if s)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, root: Path = HOME_FOLDER
    ) -> "Settings":
        """Read and check the settings; raises SettingsError, which names every wrong one."""
        read = SettingsReader(*gathered(environ, root), root)
        access, local_judge = read.access(), read.local_judge(root)
        settings = cls(
            instance=read.instance,
            upstreams=read.upstreams(local_judge),
            image_upstream=read.image_upstream(),
            video_upstream=read.video_upstream(),
            webhooks=read.webhooks(),
            local_model=read.local_model(),
            local_judge=local_judge,
            database_url=read.value("DATABASE_URL") or f"sqlite:///{read.instance}/llm_api.db",
            limits=read.limits(),
            access=access,
            rewrites=read.rewrites(),
            lineage=read.lineage(),
            files=read.files(read.instance / "files"),
            timeouts=read.timeouts(),
            bind=read.bind(access),
            shutdown_grace=read.shutdown_grace(),
            remote=RemoteService(read.value("LLM_API_URL"), read.value("LLM_API_KEY")),
            root=root,
            **{name.lower(): read.value(name) for name in _AS_THEY_ARE},
        )
        return _checked(settings, read)


def _checked(settings: Settings, read: SettingsReader) -> Settings:
    """Return settings with what is read of them last; raises SettingsError."""
    settings = replace(
        settings,
        tracing=read.tracing(),
        metrics_bind=read.metrics_bind(),
        reports_database_url=read.reports_database_url(),
        warnings=read.warnings(),
    )
    if read.problems:
        raise SettingsError(read.problems, settings.warnings)
    return settings


def _passwords(url: str) -> tuple[str, ...]:
    """Return the passwords in a URL, as they are written and as they are meant."""
    if (nodes := parse_nodes(url)) is not None:
        return nodes.secrets
    parts = urlsplit(url)
    written = parts.password or ""
    return (written, unquote(written), *parse_qs(parts.query).get("password", []))
