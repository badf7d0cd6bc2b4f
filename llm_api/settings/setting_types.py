"""What a setting is: its type, which parses it, and its description."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import limits

_MAX_TIMEOUT_S = 86_400
_SWITCHES = {"true": True, "1": True, "yes": True, "on": True}
_SWITCHES |= {"false": False, "0": False, "no": False, "off": False}
# What people forget to replace; a secret that is publicly known is none.
_PLACEHOLDER = re.compile(
    r"change.?me|place.?holder|example|your[-_]|insert|replace|default|password|secret|xxxx|\.\.\.",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SettingType:
    """A type of settings.

    Attributes:
        label: short name, for documentation.
        expected: what a valid text is, to follow "must be".
        parse: returns the value of a text that is not empty; raises ValueError.
        empty: value where neither a text nor a default is given.
        is_secret: whether texts are secrets, or may have one in them: NAME_FILE can then name a
            file with the text.
    """

    label: str
    expected: str
    parse: Callable[[str], Any]
    empty: Any = None
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        description: one sentence.
        details: further sentences; may be empty.
        default: in the syntax of the setting; empty: none.
        example: lines of a `.env` file.
        refuses_empty: whether an empty value is an error instead of none: most often a variable is
            missing that should have filled it.
    """

    name: str
    type: SettingType
    description: str
    details: str = ""
    default: str = ""
    example: str = ""
    refuses_empty: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together."""

    title: str
    settings: tuple[Setting, ...]


def listed(text: str) -> list[str]:
    """Split at commas, and drop surrounding blanks and empty parts."""
    return [part.strip() for part in text.split(",") if part.strip()]


def whole(at_least: int, at_most: int) -> SettingType:
    """Return the type of whole numbers from `at_least` to `at_most`."""

    def parse(text: str) -> int:
        number = int(text)
        if not at_least <= number <= at_most:
            raise ValueError
        return number

    label = f"{at_least} to {at_most}"
    return SettingType(label, f"a whole number from {label}", parse)


def store_url(*schemes: str) -> SettingType:
    """Return the type of URLs of a store, with one of the schemes."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        # `port` raises ValueError for what is not one, such as half of a password with a slash.
        if "://" not in text or parts.scheme not in schemes or parts.port == 0:
            raise ValueError
        return text

    known = ", ".join(f"{scheme}://" for scheme in schemes)
    expected = f"a URL that begins with one of {known}; signs in a password are written as %XX"
    return SettingType("URL", expected, parse, is_secret=True)


def http_urls(example: str) -> SettingType:
    """Return the type of base addresses of APIs, separated by commas."""
    expected = f"an http:// or https:// address, such as {example}; several are separated by commas"
    return SettingType("addresses", expected, _http_urls, ())


def _boolean(text: str) -> bool:
    try:
        return _SWITCHES[text.lower()]
    except KeyError:
        raise ValueError from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise ValueError
    return seconds


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _rate_limit(text: str) -> str:
    if any(item.amount < 1 for item in limits.parse_many(text)):
        raise ValueError
    return text


def _folder(text: str) -> Path:
    # Outside of a shell nobody replaces `~`: a folder of that name would be made.
    if not text.isprintable() or text.startswith("~"):
        raise ValueError
    return Path(text)


def _import_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text, re.ASCII):
        raise ValueError
    return text


def _bind(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError
    return text


def _http_urls(text: str) -> list[str]:
    urls = [_http_url(part) for part in listed(text)]
    if not urls:
        raise ValueError
    return urls


def _http_url(text: str) -> str:
    """Return the base address without a trailing slash; credentials in it are refused."""
    parts = urlsplit(text)
    is_valid = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    is_valid = is_valid and not re.search(r"\s|;|://.*://", text)  # several, otherwise separated
    if not is_valid or parts.query or parts.fragment or parts.port == 0 or not text.isprintable():
        raise ValueError
    return text.rstrip("/")


def _log_format(text: str) -> str:
    if text.lower() not in {"auto", "json", "text"}:
        raise ValueError
    return text.lower()


def _upstream_keys(text: str) -> list[str]:
    keys = listed(text)
    if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
        raise ValueError
    return keys


def _secret(text: str) -> str:
    is_valid = re.fullmatch(r"[!-~]{20,256}", text) and not {"=", ","} & set(text)
    if not is_valid or len(set(text)) < 8 or _PLACEHOLDER.search(text):
        raise ValueError
    return text


def _named_secrets(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in listed(text)]
    names = [name for name, _, _ in pairs]
    is_valid = all(re.fullmatch(r"[A-Za-z0-9_.-]{1,48}", name) for name in names)
    # ADMIN_API_KEY is named admin in usage rows.
    if not pairs or not is_valid or len({*names, "admin"}) <= len(names):
        raise ValueError
    return tuple((name, _secret(secret)) for name, _, secret in pairs)


def _origins(text: str) -> tuple[str, ...]:
    origins = listed(text)
    if not all(re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", origin) for origin in origins):
        raise ValueError
    return tuple(origins)


def _upstream_names(text: str) -> tuple[str, ...]:
    names = tuple(listed(text))
    is_valid = all(re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) for name in names)
    is_taken = not {"fast", "judge", "local", "image", "video"}.isdisjoint(names)
    if not is_valid or is_taken or len(set(names)) < len(names):
        raise ValueError
    return names


_EXPECTED_KEY = (
    "a secret of 20 to 256 letters, digits and signs without spaces, commas and =, and not a"
    " placeholder; `openssl rand -hex 32` makes one"
)
BOOLEAN = SettingType("true or false", "true or false", _boolean)
SECONDS = SettingType("seconds", "a number of seconds, more than 0, such as 60", _seconds)
SHARE = SettingType("0 to 1", "a number from 0 to 1, such as 0.1", _share)
TEXT = SettingType("text", "a text", str)
KEY_TEXT = SettingType("text", "a text", str, is_secret=True)
FOLDER = SettingType("folder", "the path of a folder, in full and without ~", _folder)
NAMES = SettingType("names", "names separated by commas", lambda text: tuple(listed(text)), ())
RATE_LIMIT = SettingType("limit", "a limit such as 300/minute or 10/second;5000/day", _rate_limit)
IMPORT_NAME = SettingType(
    "module:function", "package.module:function, with a function to call", _import_name
)
LOG_FORMAT = SettingType("auto, json or text", "auto, json or text", _log_format)
BIND = SettingType("host:port", "host:port, such as 127.0.0.1:8000", _bind)
HTTP_URL = SettingType("address", "an http:// address ending in /v1", _http_url)
ENDPOINT = SettingType(
    "address", "an http:// or https:// address, such as https://storage.example", _http_url
)
UPSTREAM_KEYS = SettingType(
    "keys", "printable ASCII without spaces", _upstream_keys, (), is_secret=True
)
UPSTREAM_NAMES = SettingType(
    "names",
    "names of upstreams, such as backup, separated by commas: lower-case words",
    _upstream_names,
    (),
)
SECRET = SettingType("secret", _EXPECTED_KEY, _secret, is_secret=True)
NAMED_SECRETS = SettingType(
    "name=secret pairs",
    "name=key pairs separated by commas, each with a name that is not admin, each key"
    f" {_EXPECTED_KEY}",
    _named_secrets,
    (),
    is_secret=True,
)
ORIGINS = SettingType(
    "origins",
    "origins such as https://app.example, separated by commas; * is not taken",
    _origins,
    (),
)
