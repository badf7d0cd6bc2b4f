"""Keeps addresses of pictures, videos and sounds from servers inside of the operator's network.

Such a server (vLLM CVE-2026-25960, LMDeploy CVE-2026-33626, llama.cpp) asks for whatever address a
message has, from where it stands: callers would reach what only the inside of the network can.
"""

import re
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from llm_api.errors import InvalidRequest
from llm_api.upstream.http.resolver import Resolver
from llm_api.upstream.media.links import is_public

_FETCHED = ("image_url", "video_url", "audio_url")  # of OpenAI's API, and vLLM's and SGLang's own
_PRIVATE_NAME = re.compile(
    r"\.(local|localhost|localdomain|internal|intranet|lan|home\.arpa|svc|svc\..*)$"
)
_LOOKED_UP_S = 60.0
_LOOK_UP_TIMEOUT_S = 3.0


class InnerUpstream:
    """Knows whether an upstream is inside of the operator's network, and refuses addresses then."""

    def __init__(
        self,
        urls: Sequence[str],
        vendor_hosts: Sequence[str] = (),
        *,
        is_known: bool = False,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at an upstream's addresses; names that may be of either kind are looked up later.

        Args:
            urls: its base addresses.
            vendor_hosts: patterns of a vendor's host names: its servers fetch from its own network,
                whatever way leads there. Patterns of a port alone say nothing of a network.
            is_known: whether it is inside by what is said of it, whatever its address.
            resolver: looks names up.
            clock: monotonic time in seconds.
        """
        names = [pattern for pattern in vendor_hosts if "." in pattern]
        found = [urlsplit(url).hostname or "" for url in urls]
        hosts = [host for host in found if not any(fnmatchcase(host, name) for name in names)]
        placed = {host: _place_of(host) for host in hosts}
        self._is_known = is_known or True in placed.values()
        self._unknown = [host for host, is_inside in placed.items() if is_inside is None]
        self._resolver = resolver or Resolver()
        self._clock = clock
        self._found = (-_LOOKED_UP_S, False)

    @property
    def may_be_inside(self) -> bool:
        """Whether messages have to be looked at."""
        return self._is_known or bool(self._unknown)

    def check(self, messages: Iterable[Any]) -> None:
        """Raise InvalidRequest for the first picture, video or sound that is given by address."""
        for number, message in enumerate(messages):
            content = message.get("content") if isinstance(message, dict) else None
            for place, part in enumerate(content if isinstance(content, list) else ()):
                name = _fetched(part) if isinstance(part, dict) else None
                if name is not None and self._is_inside():
                    raise InvalidRequest.of_field(
                        f"messages[{number}].content[{place}].{name}.url",
                        "must be a data URI for this model: its server would fetch the address"
                        " itself, from inside of its network.",
                        reason="url_not_allowed",
                    )

    def _is_inside(self) -> bool:
        if self._is_known:
            return True
        at, is_inside = self._found
        if self._clock() - at >= _LOOKED_UP_S:
            is_inside = any(map(self._is_inner_name, self._unknown))
            self._found = (self._clock(), is_inside)
        return is_inside

    def _is_inner_name(self, host: str) -> bool:
        """Whether a name has an address that is not of the Internet, or none that can be found."""
        try:
            addresses = self._resolver.addresses(host, 443, _LOOK_UP_TIMEOUT_S)
        except socket.gaierror:
            return True
        return not all(is_public(address[0]) for address in addresses)


def _place_of(host: str) -> bool | None:
    """Return whether a host is inside; None for a name that has to be looked up."""
    try:
        return not is_public(host)
    except ValueError:
        is_inner = "." not in host.rstrip(".") or _PRIVATE_NAME.search(host.rstrip("."))
        return True if is_inner else None


def _fetched(part: dict[str, Any]) -> str | None:
    """Return the name of the field by which a part has an address to be fetched."""
    for name in _FETCHED:
        value = part.get(name)
        url = value.get("url") if isinstance(value, dict) else value
        if url is not None and not (isinstance(url, str) and url[:5].lower() == "data:"):
            return name
    return None
