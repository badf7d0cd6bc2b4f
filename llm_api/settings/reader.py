"""Reads the settings that belong together: upstreams, time-outs, who may call and how often."""

import ipaddress
import re
from urllib.parse import urlsplit

from llm_api.domain.access import AccessPlan, Limits
from llm_api.domain.calls import Endpoint, Timeouts, UpstreamPlan
from llm_api.settings.values import Values, listed

FAST, JUDGE, LOCAL = "fast", "judge", "local"
_EXAMPLES = {
    FAST: "https://dashscope.aliyuncs.com/compatible-mode/v1",
    JUDGE: "https://ark.cn-beijing.volces.com/api/v3",
}
_EXAMPLE = "https://host/v1"


class Reader(Values):
    """Reads the settings of upstreams, and of who may call."""

    def upstreams(self) -> dict[str, UpstreamPlan]:
        """Read the upstreams: `fast`, `judge`, and those that EXTRA_UPSTREAMS names."""
        none: tuple[str, ...] = ()
        extra = self.checked("EXTRA_UPSTREAMS", none, _upstream_names, _RIGHT_NAMES)
        names = [FAST, JUDGE, *extra]
        plans = {name: self._upstream(name, is_wanted=name not in _EXAMPLES) for name in names}
        return {name: plan for name, plan in plans.items() if plan is not None}

    def _upstream(self, name: str, *, is_wanted: bool) -> UpstreamPlan | None:
        """Read `NAME_LLM_API_URL`, `_API_KEY`, `_MODEL`, `_PROFILE` and `_FALLBACK`.

        There is none of them, or at least address and model.
        """
        prefix, example = f"{name.upper()}_LLM", _EXAMPLES.get(name, _EXAMPLE)
        parts = ("API_URL", "API_KEY", "MODEL", "PROFILE", "FALLBACK")
        url, key, model, profile, fallback = (self._values.get(f"{prefix}_{n}") for n in parts)
        if url is None:
            if is_wanted or key or model:
                why = (
                    f"EXTRA_UPSTREAMS names {name}"
                    if is_wanted
                    else f"{prefix}_API_KEY or" + (f" {prefix}_MODEL is set")
                )
                self.problems.append(
                    f"{prefix}_API_URL is missing, and {why}; it must be the address of an"
                    f" OpenAI-compatible API, such as {example}."
                )
            return None
        no_urls: list[str] = []
        urls = self.checked(
            f"{prefix}_API_URL",
            no_urls,
            _http_urls,
            f"an http:// or https:// address, such as {example}; several are separated by commas",
        )
        if model is None:
            self.problems.append(
                f"{prefix}_MODEL is missing; it must name the model to use at {prefix}_API_URL."
            )
        endpoints = self._endpoints(prefix, urls, listed(key or "") or [""], model or "")
        return UpstreamPlan(endpoints, tuple(listed(fallback or "")), profile)

    def _endpoints(
        self, prefix: str, urls: list[str], keys: list[str], model: str
    ) -> tuple[Endpoint, ...]:
        """Pair addresses and keys: each address with its key, or the one with all of the others."""
        if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
            self.problems.append(f"{prefix}_API_KEY must be printable ASCII without spaces.")
        count = max(len(urls), len(keys))
        if len(urls) > 1 and len(keys) > 1 and len(urls) != len(keys):
            self.problems.append(
                f"{prefix}_API_KEY must be one key for all addresses, or one for each."
            )
            count = 1
        urls = urls * count if len(urls) == 1 else urls or [""] * count
        keys = keys * count if len(keys) == 1 else keys
        return tuple(
            Endpoint(url=url, model=model, key=key) for url, key in zip(urls, keys, strict=False)
        )

    def local_model(self) -> Endpoint | None:
        """Read where a bundled model that was started by hand listens."""
        url = self.checked("LOCAL_MODEL_URL", "", _http_url, "an http:// address ending in /v1")
        key = self._values.get("LOCAL_MODEL_KEY", "")
        return Endpoint(url=url, model="smollm2-135m-instruct", key=key) if url else None

    def timeouts(self) -> Timeouts:
        """Read how long upstreams may take."""
        return Timeouts(
            connect=self.seconds("UPSTREAM_CONNECT_TIMEOUT", 3),
            first_byte=self.seconds("UPSTREAM_FIRST_BYTE_TIMEOUT", 60),
            idle=self.seconds("UPSTREAM_IDLE_TIMEOUT", 60),
            total=self.seconds("UPSTREAM_TOTAL_TIMEOUT", 300),
            stream=self.seconds("UPSTREAM_STREAM_TIMEOUT", 600),
        )

    def limits(self) -> Limits:
        """Read what a caller may take who has no limits of his own."""
        return Limits(
            requests=self.rate_limit("RATE_LIMIT", "300/minute"),
            tokens_per_minute=self.whole("TOKENS_PER_MINUTE", 0, at_least=0, at_most=_MANY) or None,
            concurrent_requests=self.whole("CONCURRENT_REQUESTS", 0, at_least=0, at_most=_MANY)
            or None,
            concurrent_streams=self.whole("CONCURRENT_STREAMS", 0, at_least=0, at_most=_MANY)
            or None,
        )

    def access(self, bind: str) -> AccessPlan:
        """Read who may call; `bind` is where the service listens."""
        plan = AccessPlan(
            requires_key=self.boolean("REQUIRE_API_KEY", default=False),
            static_keys=self.checked("API_KEYS", (), _static_keys, _RIGHT_KEYS),
            admin_key=self.checked("ADMIN_API_KEY", None, _secret, _RIGHT_KEY),
            allows_open_access=self.boolean("ALLOW_OPEN_ACCESS", default=False),
            trusted_proxies=self.whole("TRUSTED_PROXIES", 0, at_least=0, at_most=10),
            cors_origins=self.checked("CORS_ORIGINS", (), _origins, _RIGHT_ORIGINS),
        )
        secrets = [secret for secret in plan.secrets if secret]
        if len(set(secrets)) < len(secrets):
            self.problems.append("API_KEYS and ADMIN_API_KEY must be different keys.")
        if not (plan.requires_key or plan.allows_open_access or is_loopback(bind)):
            self.problems.append(OPEN_ACCESS)
        return plan


def is_loopback(bind: str) -> bool:
    """Whether an address to listen on, `host:port` or `unix:path`, is reached from here alone."""
    if bind.startswith("unix:"):
        return True
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


OPEN_ACCESS = (
    "BIND must be a loopback address, such as 127.0.0.1:8000, while no key is required: set"
    " REQUIRE_API_KEY=true, or ALLOW_OPEN_ACCESS=true to let everybody in who reaches it."
)
_MANY = 1_000_000_000
_RIGHT_KEY = (
    "a secret of 20 to 256 letters, digits and signs without spaces, commas and =, and not a"
    " placeholder; `openssl rand -hex 32` makes one"
)
_RIGHT_KEYS = (
    f"name=key pairs separated by commas, each with a name that is not admin, each key {_RIGHT_KEY}"
)
_RIGHT_ORIGINS = "origins such as https://app.example, separated by commas; * is not taken"
# What people forget to replace; a secret that everybody knows is none.
_PLACEHOLDER = re.compile(
    r"change.?me|place.?holder|example|your[-_]|insert|replace|default|password|secret|xxxx|\.\.\.",
    re.IGNORECASE,
)


def _secret(text: str) -> str:
    is_good = re.fullmatch(r"[!-~]{20,256}", text) and not {"=", ","} & set(text)
    if not is_good or len(set(text)) < 8 or _PLACEHOLDER.search(text):
        raise ValueError
    return text


def _static_keys(text: str) -> tuple[tuple[str, str], ...]:
    """Read pairs of names and secrets."""
    pairs = [part.partition("=") for part in listed(text)]
    names = [name for name, _, _ in pairs]
    is_good = all(re.fullmatch(r"[A-Za-z0-9_.-]{1,48}", name) for name in names)
    # In usage rows ADMIN_API_KEY goes by the name of admin.
    if not pairs or not is_good or len({*names, "admin"}) <= len(names):
        raise ValueError
    return tuple((name, _secret(secret)) for name, _, secret in pairs)


def _origins(text: str) -> tuple[str, ...]:
    origins = listed(text)
    if not all(re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", origin) for origin in origins):
        raise ValueError
    return tuple(origins)


_RIGHT_NAMES = "names of upstreams, such as backup, separated by commas: lower-case words"


def _upstream_names(text: str) -> tuple[str, ...]:
    """Read the names of upstreams; each is the beginning of its settings' names."""
    names = tuple(listed(text))
    is_good = all(re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) for name in names)
    if not is_good or {FAST, JUDGE, LOCAL} & set(names) or len(set(names)) < len(names):
        raise ValueError
    return names


def _http_urls(text: str) -> list[str]:
    urls = [_http_url(part) for part in listed(text)]
    if not urls:
        raise ValueError
    return urls


def _http_url(text: str) -> str:
    """Return the base address without a trailing slash; credentials in it are refused."""
    parts = urlsplit(text)
    good = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    good = good and not re.search(r"\s|;|://.*://", text)  # several at once, in another way
    if not good or parts.query or parts.fragment or parts.port == 0 or not text.isprintable():
        raise ValueError
    return text.rstrip("/")
