"""The settings of the service: the only reader of the environment.

They come from the environment, then `.env`, then `backend/.env`; the first that has a value wins,
and an empty value counts as none. `config/example.env` lists them all.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import click
import limits
from dotenv import dotenv_values

from llm_api.domain import Endpoint, Timeouts

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_T = TypeVar("_T")

_DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")
_RATE_LIMIT_STORES = ("memory", "redis", "rediss", "redis+unix", "valkey", "valkeys")


class SettingsError(click.ClickException):
    """The settings are wrong; the message has one line for each, and no secret.

    A ClickException, because `flask --app wsgi …` prints that as a message and not as a traceback.
    """

    def __init__(self, problems: list[str]) -> None:
        """Take one sentence for each wrong setting."""
        super().__init__("\n".join(["The settings are wrong:", *(f"  {p}" for p in problems)]))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured, checked."""

    fast: Endpoint | None
    judge: Endpoint | None
    local_model: Endpoint | None
    enable_prompt_optimization: bool
    database_url: str = field(repr=False)
    ratelimit_storage_uri: str = field(repr=False)
    rate_limit: str
    timeouts: Timeouts
    circuit_breaker: bool
    client_write_timeout: float
    refuse_unknown_parameters: bool
    catalogue_only: bool
    bind: str
    web_concurrency: int
    root: Path = PROJECT_ROOT

    @property
    def uses_bundled_model(self) -> bool:
        """Whether chat goes to the model that came with the installation."""
        return self.fast is None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown."""
        endpoints = (self.fast, self.judge, self.local_model)
        passwords = _passwords(self.database_url) + _passwords(self.ratelimit_storage_uri)
        return tuple(s for s in (*(e.key for e in endpoints if e), *passwords) if s)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, root: Path = PROJECT_ROOT
    ) -> "Settings":
        """Read the settings; `root` is where `.env` is looked for and `instance/` lies.

        Raises SettingsError, which names every wrong setting at once.
        """
        values = _merged(os.environ if environ is None else environ, root)
        read = _Reader(values)
        settings = cls(
            fast=read.endpoint(
                "FAST_LLM", example="https://dashscope.aliyuncs.com/compatible-mode/v1"
            ),
            judge=read.endpoint("JUDGE_LLM", example="https://ark.cn-beijing.volces.com/api/v3"),
            local_model=read.local_model(),
            enable_prompt_optimization=read.boolean("ENABLE_PROMPT_OPTIMIZATION", default=True),
            database_url=read.url(
                "DATABASE_URL", f"sqlite:///{root / 'instance' / 'llm_api.db'}", _DATABASES
            ),
            ratelimit_storage_uri=read.url(
                "RATELIMIT_STORAGE_URI", "memory://", _RATE_LIMIT_STORES
            ),
            rate_limit=read.rate_limit("RATE_LIMIT", "300/minute"),
            timeouts=read.timeouts(),
            circuit_breaker=read.boolean("CIRCUIT_BREAKER", default=True),
            client_write_timeout=read.seconds("CLIENT_WRITE_TIMEOUT", 30),
            refuse_unknown_parameters=read.boolean("REFUSE_UNKNOWN_PARAMETERS", default=False),
            catalogue_only=read.boolean("CATALOGUE_ONLY", default=False),
            bind=read.bind("BIND", "127.0.0.1:8000"),
            web_concurrency=read.whole("WEB_CONCURRENCY", 1, at_most=256),
            root=root,
        )
        if read.problems:
            raise SettingsError(read.problems)
        return settings


def _merged(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """Put the three sources together, the strongest last; empty values are left out."""
    merged: dict[str, str] = {}
    sources = [_file(root, "backend/.env"), _file(root, ".env"), environ]
    for source in sources:
        merged.update({name: text.strip() for name, text in source.items() if text.strip()})
    return merged


def _file(root: Path, name: str) -> dict[str, str]:
    try:
        values = dotenv_values(root / name, interpolate=False)
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError([f"{name} must be a readable text file in UTF-8."]) from error
    return {setting: text for setting, text in values.items() if text}


def _passwords(url: str) -> tuple[str, ...]:
    """Return the passwords in a URL, as they are written and as they are meant."""
    parts = urlsplit(url)
    written = parts.password or ""
    return (written, unquote(written), *parse_qs(parts.query).get("password", []))


class _Reader:
    """Reads one setting after the other and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
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

    def endpoint(self, prefix: str, *, example: str) -> Endpoint | None:
        """Read `PREFIX_API_URL`, `_API_KEY` and `_MODEL`: none, or at least address and model."""
        url, key, model = (
            self._values.get(f"{prefix}_{n}") for n in ("API_URL", "API_KEY", "MODEL")
        )
        if url is None:
            if key or model:
                self.problems.append(
                    f"{prefix}_API_URL is missing, and {prefix}_API_KEY or {prefix}_MODEL is set;"
                    f" it must be the address of an OpenAI-compatible API, such as {example}."
                )
            return None
        url = self._checked(
            f"{prefix}_API_URL", "", _http_url, f"an http:// or https:// address, such as {example}"
        )
        if model is None:
            self.problems.append(
                f"{prefix}_MODEL is missing; it must name the model to use at {prefix}_API_URL."
            )
        if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
            self.problems.append(f"{prefix}_API_KEY must be printable ASCII without spaces.")
        return Endpoint(url=url, model=model or "", key=key or "")

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

    def whole(self, name: str, default: int, *, at_most: int) -> int:
        """Read a whole number from 1."""

        def parse(text: str) -> int:
            value = int(text)
            if not 1 <= value <= at_most:
                raise ValueError
            return value

        return self._checked(name, default, parse, f"a whole number from 1 to {at_most}")

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

    def bind(self, name: str, default: str) -> str:
        """Read `host:port`."""

        def parse(text: str) -> str:
            host, _, port = text.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError
            return text

        return self._checked(name, default, parse, "host:port, such as 127.0.0.1:8000")


def _http_url(text: str) -> str:
    """Return the base address without a trailing slash; credentials in it are refused."""
    parts = urlsplit(text)
    good = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    if not good or parts.query or parts.fragment or parts.port == 0 or not text.isprintable():
        raise ValueError
    return text.rstrip("/")
