"""Reads settings one by one: what each may be, and what is wrong with it."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import limits

from llm_api.domain import Endpoint, Timeouts, UpstreamPlan

FAST, JUDGE, LOCAL = "fast", "judge", "local"
_EXAMPLES = {
    FAST: "https://dashscope.aliyuncs.com/compatible-mode/v1",
    JUDGE: "https://ark.cn-beijing.volces.com/api/v3",
}
_EXAMPLE = "https://host/v1"

_T = TypeVar("_T")


class Reader:
    """Reads one setting after the other and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take the settings by their names."""
        self._values = values
        self.problems: list[str] = []

    def _checked(self, name: str, default: _T, parse: Callable[[str], _T], right: str) -> _T:
        """Parse a setting; a bad one is noted with what would be right, never with its value."""
        text = self._values.get(name)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError:
            self.problems.append(f"{name} must be {right}.")
            return default

    def upstreams(self) -> dict[str, UpstreamPlan]:
        """Read the upstreams: `fast`, `judge`, and those that EXTRA_UPSTREAMS names."""
        none: tuple[str, ...] = ()
        extra = self._checked("EXTRA_UPSTREAMS", none, _upstream_names, _RIGHT_NAMES)
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
        urls = self._checked(
            f"{prefix}_API_URL",
            no_urls,
            _http_urls,
            f"an http:// or https:// address, such as {example}; several are separated by commas",
        )
        if model is None:
            self.problems.append(
                f"{prefix}_MODEL is missing; it must name the model to use at {prefix}_API_URL."
            )
        endpoints = self._endpoints(prefix, urls, _listed(key or "") or [""], model or "")
        return UpstreamPlan(endpoints, tuple(_listed(fallback or "")), profile)

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
        url = self._checked("LOCAL_MODEL_URL", "", _http_url, "an http:// address ending in /v1")
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

    def boolean(self, name: str, *, default: bool) -> bool:
        """Read true or false."""
        words = {"true": True, "1": True, "yes": True, "on": True}
        words |= {"false": False, "0": False, "no": False, "off": False}

        def parse(text: str) -> bool:
            if text.lower() not in words:
                raise ValueError
            return words[text.lower()]

        return self._checked(name, default, parse, "true or false")

    def seconds(self, name: str, default: float) -> float:
        """Read a time-out in seconds, more than 0 and at most a day."""

        def parse(text: str) -> float:
            value = float(text)
            if not 0 < value <= 86_400:
                raise ValueError
            return value

        return self._checked(name, default, parse, "a number of seconds, more than 0, such as 60")

    def whole(self, name: str, default: int, *, at_least: int = 1, at_most: int) -> int:
        """Read a whole number."""

        def parse(text: str) -> int:
            value = int(text)
            if not at_least <= value <= at_most:
                raise ValueError
            return value

        right = f"a whole number from {at_least} to {at_most}"
        return self._checked(name, default, parse, right)

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        """Read the URL of a store with one of the schemes."""

        def parse(text: str) -> str:
            parts = urlsplit(text)
            # `port` raises ValueError for what is not one, such as half of a password with a slash.
            if "://" not in text or parts.scheme not in schemes or parts.port == 0:
                raise ValueError
            return text

        known = ", ".join(f"{scheme}://" for scheme in schemes)
        return self._checked(
            name,
            default,
            parse,
            f"a URL that begins with one of {known}; signs in a password are written as %XX",
        )

    def rate_limit(self, name: str, default: str) -> str:
        """Read a limit such as `300/minute`; several are separated by `;`."""

        def parse(text: str) -> str:
            if any(item.amount < 1 for item in limits.parse_many(text)):
                raise ValueError
            return text

        return self._checked(
            name, default, parse, "a limit such as 300/minute or 10/second;5000/day"
        )

    def import_name(self, name: str) -> str | None:
        """Read `package.module:function`."""

        def parse(text: str) -> str:
            if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text, re.ASCII):
                raise ValueError
            return text

        return self._checked(name, None, parse, "package.module:function, with a function to call")

    def bind(self, name: str, default: str) -> str:
        """Read `host:port`."""

        def parse(text: str) -> str:
            host, _, port = text.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError
            return text

        return self._checked(name, default, parse, "host:port, such as 127.0.0.1:8000")


_RIGHT_NAMES = "names of upstreams, such as backup, separated by commas: lower-case words"


def _upstream_names(text: str) -> tuple[str, ...]:
    """Read the names of upstreams; each is the beginning of its settings' names."""
    names = tuple(_listed(text))
    is_good = all(re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) for name in names)
    if not is_good or {FAST, JUDGE, LOCAL} & set(names) or len(set(names)) < len(names):
        raise ValueError
    return names


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _http_urls(text: str) -> list[str]:
    urls = [_http_url(part) for part in _listed(text)]
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
