"""Reads single values: what each may be, and what is wrong with it."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import limits

_T = TypeVar("_T")


class Values:
    """Reads one setting after the other and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take the settings by their names."""
        self._values = values
        self.problems: list[str] = []

    def checked(self, name: str, default: _T, parse: Callable[[str], _T], right: str) -> _T:
        """Parse a setting; a bad one is noted with what would be right, never with its value."""
        text = self._values.get(name)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError:
            self.problems.append(f"{name} must be {right}.")
            return default

    def boolean(self, name: str, *, default: bool) -> bool:
        """Read true or false."""
        words = {"true": True, "1": True, "yes": True, "on": True}
        words |= {"false": False, "0": False, "no": False, "off": False}

        def parse(text: str) -> bool:
            if text.lower() not in words:
                raise ValueError
            return words[text.lower()]

        return self.checked(name, default, parse, "true or false")

    def seconds(self, name: str, default: float) -> float:
        """Read a time-out in seconds, more than 0 and at most a day."""

        def parse(text: str) -> float:
            value = float(text)
            if not 0 < value <= 86_400:
                raise ValueError
            return value

        return self.checked(name, default, parse, "a number of seconds, more than 0, such as 60")

    def whole(self, name: str, default: int, *, at_least: int = 1, at_most: int) -> int:
        """Read a whole number."""

        def parse(text: str) -> int:
            value = int(text)
            if not at_least <= value <= at_most:
                raise ValueError
            return value

        right = f"a whole number from {at_least} to {at_most}"
        return self.checked(name, default, parse, right)

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        """Read the URL of a store with one of the schemes."""

        def parse(text: str) -> str:
            parts = urlsplit(text)
            # `port` raises ValueError for what is not one, such as half of a password with a slash.
            if "://" not in text or parts.scheme not in schemes or parts.port == 0:
                raise ValueError
            return text

        known = ", ".join(f"{scheme}://" for scheme in schemes)
        return self.checked(
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

        return self.checked(
            name, default, parse, "a limit such as 300/minute or 10/second;5000/day"
        )

    def import_name(self, name: str) -> str | None:
        """Read `package.module:function`."""

        def parse(text: str) -> str:
            if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text, re.ASCII):
                raise ValueError
            return text

        return self.checked(name, None, parse, "package.module:function, with a function to call")

    def bind(self, name: str, default: str) -> str:
        """Read `host:port`."""

        def parse(text: str) -> str:
            host, _, port = text.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError
            return text

        return self.checked(name, default, parse, "host:port, such as 127.0.0.1:8000")

    def listed(self, name: str) -> list[str]:
        """Read what is separated by commas."""
        return listed(self._values.get(name, ""))

    def text(self, name: str) -> str | None:
        """Read a text as it is."""
        return self._values.get(name)


def listed(text: str) -> list[str]:
    """Take apart what is separated by commas; blanks around the parts do not count."""
    return [part.strip() for part in text.split(",") if part.strip()]
