"""Reads settings by their definitions, and checks those that depend on each other."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import llm_api
from llm_api.domain.access import AccessPlan, Limits
from llm_api.domain.files import FilesPlan
from llm_api.domain.lineage import LineagePlan
from llm_api.domain.process_plans import LocalJudgePlan, ShutdownGrace
from llm_api.domain.rewrites import RewritesPlan
from llm_api.domain.tasks import WebhookPlan
from llm_api.domain.tracing import TracingPlan
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.misspelt_names import misspelt
from llm_api.settings.setting_types import Setting, listed
from llm_api.settings.tracing_definitions import NO_PACKAGES, TRACES_PATH, has_packages
from llm_api.settings.upstream_definitions import upstream_settings
from llm_api.upstream.bundled_model.local_judge import judge_endpoint

FAST, JUDGE, LOCAL, IMAGE, VIDEO = "fast", "judge", "local", "image", "video"
_LOCAL_JUDGE = ("LOCAL_JUDGE_MODEL", "LOCAL_JUDGE_PROJECTOR")
OPEN_ACCESS = (
    "BIND must be a loopback address, such as 127.0.0.1:8000, while no key is required: set"
    " REQUIRE_API_KEY=true, or ALLOW_OPEN_ACCESS=true to let everybody in who reaches it."
)


class SettingsReader:
    """Reads settings from texts; `problems` collects a sentence for each wrong one.

    `notices` has sentences on what has no effect although it is set.
    """

    def __init__(
        self, texts: Mapping[str, str], problems: Sequence[str] = (), root: Path = Path()
    ) -> None:
        """Read from `texts`: the settings that are given, by name; none is empty.

        `problems` are known already; the folder INSTANCE_DIR is below `root` if it is relative.
        """
        self._texts = texts
        self.problems = list(problems)
        self.notices: list[str] = []
        self.instance: Path = root / self.value("INSTANCE_DIR")
        if self.instance.is_file():
            self.problems.append("INSTANCE_DIR is a file; it must be the path of a folder.")

    def value(self, name: str) -> Any:
        """Return the value of a setting of the definitions, or its default where it is wrong."""
        return self._value(SETTINGS[name])

    def warnings(self) -> tuple[str, ...]:
        """Return sentences about names that are no settings, and the notices."""
        unknown = misspelt(self._texts, listed(self._texts.get("EXTRA_UPSTREAMS", "")))
        return (*unknown, *self.notices)

    def _value(self, setting: Setting) -> Any:
        text = self._texts.get(setting.name)
        if text is not None:
            try:
                return setting.type.parse(text)
            except ValueError:  # the text may be a secret
                self.problems.append(f"{setting.name} must be {setting.type.expected}.")
        return setting.type.parse(setting.default) if setting.default else setting.type.empty

    def upstreams(self, local_judge: LocalJudgePlan | None = None) -> dict[str, UpstreamPlan]:
        """Read the upstreams: `fast`, `judge`, and those that EXTRA_UPSTREAMS names.

        `local_judge` is the judge if there is one.
        """
        extra = self.value("EXTRA_UPSTREAMS")
        plans = {name: self._upstream(name) for name in (FAST, JUDGE)}
        if local_judge is not None:
            plans[JUDGE] = self._local_judge_upstream(local_judge)
        plans |= {name: self._upstream(name, is_required=True) for name in extra}
        return {name: plan for name, plan in plans.items() if plan is not None}

    def image_upstream(self) -> UpstreamPlan | None:
        """Read the upstream of the image model."""
        return self._upstream(IMAGE)

    def video_upstream(self) -> UpstreamPlan | None:
        """Read the upstream of the video model."""
        return self._upstream(VIDEO)

    def _upstream(self, name: str, *, is_required: bool = False) -> UpstreamPlan | None:
        """Read the settings of an upstream: none of them, or at least address and model."""
        url, key, model, profile, fallback = upstream_settings(name.upper())
        if url.name not in self._texts:
            given = [other.name for other in (key, model) if other.name in self._texts]
            if is_required or given:
                why = f"EXTRA_UPSTREAMS names {name}" if is_required else f"{given[0]} is set"
                self.problems.append(
                    f"{url.name} is missing, and {why}; it must be {url.type.expected}."
                )
            return None
        urls, keys = self._value(url), self._value(key)
        if model.name not in self._texts:
            self.problems.append(
                f"{model.name} is missing; it must name the model to use at {url.name}."
            )
        if len(urls) > 1 and len(keys) > 1 and len(urls) != len(keys):
            self.problems.append(f"{key.name} must be one key for all addresses, or one for each.")
        endpoints = _paired(urls or [""], keys or [""], self._value(model) or "")
        return UpstreamPlan(endpoints, self._value(fallback), self._value(profile))

    def local_model(self) -> Endpoint | None:
        """Read where a bundled model listens that was started by hand."""
        url, key = self.value("LOCAL_MODEL_URL"), self.value("LOCAL_MODEL_KEY")
        return Endpoint(url=url, model="smollm2-135m-instruct", key=key or "") if url else None

    def local_judge(self, root: Path) -> LocalJudgePlan | None:
        """Read the files of a vision model that is run here; relative paths are below `root`."""
        url, key = self.value("LOCAL_JUDGE_URL"), self.value("LOCAL_JUDGE_KEY")
        files = {name: self.value(name) for name in _LOCAL_JUDGE}
        given = [name for name in _LOCAL_JUDGE if files[name] is not None]
        problems = [
            f"{name} must be a GGUF file that can be read."
            for name in given
            if not _is_gguf(root / files[name])
        ]
        if len(given) == 1:
            problems.append(f"{given[0]} is set; {' and '.join(_LOCAL_JUDGE)} belong together.")
        if given and "JUDGE_LLM_API_URL" in self._texts:
            problems.append(f"JUDGE_LLM_API_URL and {given[0]} are both set; there is one judge.")
        self.problems += problems
        if problems or not given:
            return None
        plan = LocalJudgePlan(*(root / path for path in files.values()))
        return replace(plan, endpoint=Endpoint(url, plan.name, key or "") if url else None)

    def _local_judge_upstream(self, judge: LocalJudgePlan) -> UpstreamPlan:
        _, _, _, profile, fallback = upstream_settings(JUDGE.upper())
        profile_name = self._value(profile) or "llama-cpp"
        return UpstreamPlan((judge_endpoint(judge),), self._value(fallback), profile_name)

    def timeouts(self) -> Timeouts:
        """Read the time-outs of upstreams, in seconds."""
        total = self.value("UPSTREAM_TOTAL_TIMEOUT")
        return Timeouts(
            connect=self.value("UPSTREAM_CONNECT_TIMEOUT"),
            first_byte=self.value("UPSTREAM_FIRST_BYTE_TIMEOUT") or total,
            idle=self.value("UPSTREAM_IDLE_TIMEOUT") or total,
            total=total,
            stream=self.value("UPSTREAM_STREAM_TIMEOUT"),
        )

    def shutdown_grace(self) -> ShutdownGrace:
        """Read how long calls go on after SIGTERM, in seconds."""
        return ShutdownGrace(self.value("SHUTDOWN_GRACE"), self.value("SHUTDOWN_GRACE_PICTURES"))

    def limits(self) -> Limits:
        """Read the limits of callers who have none of their own; 0 is no limit."""
        return Limits(
            requests=self.value("RATE_LIMIT"),
            tokens_per_minute=self.value("TOKENS_PER_MINUTE") or None,
            concurrent_requests=self.value("CONCURRENT_REQUESTS") or None,
            concurrent_streams=self.value("CONCURRENT_STREAMS") or None,
            images_per_minute=self.value("IMAGES_PER_MINUTE") or None,
        )

    def access(self) -> AccessPlan:
        """Read who may call; without keys only loopback addresses, unless that is allowed."""
        plan = AccessPlan(
            requires_key=self.value("REQUIRE_API_KEY"),
            static_keys=self.value("API_KEYS"),
            admin_key=self.value("ADMIN_API_KEY"),
            allows_open_access=self.value("ALLOW_OPEN_ACCESS"),
            trusted_proxies=self.value("TRUSTED_PROXIES"),
            cors_origins=self.value("CORS_ORIGINS"),
        )
        secrets = [secret for secret in plan.secrets if secret]
        if len(set(secrets)) < len(secrets):
            self.problems.append("API_KEYS and ADMIN_API_KEY must be different keys.")
        return plan

    def files(self, folder: Path) -> FilesPlan:
        """Read where files are kept: in `folder` unless the settings name another place."""
        key, secret = "FILES_ACCESS_KEY_ID", "FILES_SECRET_ACCESS_KEY"
        url = self.value("FILES_URL") or f"file://{quote(str(folder))}"
        if url.startswith("s3:"):
            missing = [name for name in (key, secret) if name not in self._texts]
            self.problems += [f"{name} is missing; FILES_URL needs it." for name in missing]
        return FilesPlan(
            url=url,
            retention_days=self.value("FILES_RETENTION_DAYS"),
            endpoint=self.value("FILES_ENDPOINT"),
            region=self.value("FILES_REGION"),
            access_key_id=self.value(key) or "",
            secret_access_key=self.value(secret) or "",
        )

    def webhooks(self) -> WebhookPlan:
        """Read how webhooks are signed, and where alerts go."""
        secrets, urls = self.value("WEBHOOK_SECRET"), self.value("ALERT_WEBHOOK_URLS")
        if urls and not secrets:
            self.problems.append(
                "WEBHOOK_SECRET is missing; what is sent to ALERT_WEBHOOK_URLS is signed with it."
            )
        return WebhookPlan(secrets, self.value("WEBHOOK_ALLOW_PRIVATE"), urls)

    def rewrites(self) -> RewritesPlan:
        """Read where rewrites are kept; in Redis only if there is one."""
        plan = RewritesPlan(self.value("REWRITE_STORE"), self.value("REWRITE_RETENTION_DAYS"))
        if plan.store == "redis" and self.value("RATELIMIT_STORAGE_URI").startswith("memory:"):
            self.problems.append(
                "REWRITE_STORE is redis, and RATELIMIT_STORAGE_URI is not; it must be the redis://"
                " address of the Redis to use."
            )
        return plan

    def lineage(self) -> LineagePlan:
        """Read what is kept of lineages, and which of them are left as they are."""
        return LineagePlan(self.value("LINEAGE_TEXTS"), self.value("OPTIMIZER_CONTROL_SHARE"))

    def tracing(self) -> TracingPlan | None:
        """Read where spans are sent; None where nothing is traced."""
        base = self.value("OTEL_EXPORTER_OTLP_ENDPOINT")
        url = self.value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or (base and base + TRACES_PATH)
        plan = TracingPlan(
            url or "",
            {
                "service.version": llm_api.__version__,
                **self.value("OTEL_RESOURCE_ATTRIBUTES"),
                "service.name": self.value("OTEL_SERVICE_NAME"),
            },
            self.value("OTEL_TRACES_SAMPLER"),
            self.value("OTEL_TRACES_SAMPLER_ARG"),
            self.value("OTEL_EXPORTER_OTLP_HEADERS"),
            self.value("TRACE_PROMPTS"),
        )
        self.value("OTEL_EXPORTER_OTLP_PROTOCOL")  # there is one, and another is refused
        is_disabled = self.value("OTEL_SDK_DISABLED")
        if not url or is_disabled:
            return None
        if not has_packages():
            self.notices.append(NO_PACKAGES)
            return None
        return plan

    def bind(self, access: AccessPlan) -> str:
        """Read the address to listen on, which access may restrict to loopback."""
        bind: str = self.value("BIND")
        if not (access.requires_key or access.allows_open_access or is_loopback(bind)):
            self.problems.append(OPEN_ACCESS)
        return bind

    def reports_database_url(self) -> str | None:
        """Read where reports are read; it must be a replica of the database."""
        url: str | None = self.value("REPORTS_DATABASE_URL")
        if url is not None and not (self.value("DATABASE_URL") or "").startswith("postgresql"):
            self.problems.append("REPORTS_DATABASE_URL needs a DATABASE_URL that is PostgreSQL.")
        return url

    def metrics_bind(self) -> str | None:
        """Read the address of metrics, which no other server can have."""
        bind: str | None = self.value("METRICS_BIND")
        if bind is not None and bind == self.value("BIND"):
            self.problems.append("METRICS_BIND must be another address than BIND, or empty.")
        return bind


def _paired(urls: list[str], keys: list[str], model: str) -> tuple[Endpoint, ...]:
    """Pair addresses and keys: each address with its key, or the only one with all others."""
    count = max(len(urls), len(keys))
    urls = urls * count if len(urls) == 1 else urls
    keys = keys * count if len(keys) == 1 else keys
    return tuple(
        Endpoint(url=url, model=model, key=key) for url, key in zip(urls, keys, strict=False)
    )


def _is_gguf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except (OSError, ValueError):  # the latter for a path with a NUL
        return False


def is_loopback(bind: str) -> bool:
    """Whether an address to listen on, `host:port` or `unix:path`, is reached from here alone."""
    if bind.startswith("unix:"):
        return True
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
