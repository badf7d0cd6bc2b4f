"""Rules that say what an upstream's error means, and the words they look into."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

# Meanings that are about this service and not about the request, and statuses and bodies (None)
# that are about the request unless a code says otherwise.
_OF_THE_SERVICE = frozenset(
    ["upstream_account", "upstream_auth", "upstream_rate_limited", "upstream_unavailable"]
)
MAX_CHARS = 4_000  # of a text: some repeat the whole request, and every rule looks through all
_OF_THE_REQUEST = frozenset([None, 400, 413, 415, 422])


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What an error means whose code, type or message the pattern is found in.

    `status` are the statuses that the rule is for, none for all; `retryable` overrides what the
    reason says by itself.
    """

    match: re.Pattern[str]
    reason: str
    hint: str | None = None
    retryable: bool | None = None
    status: frozenset[int] = frozenset()

    def fits(self, status: int | None, sent: object) -> bool:
        """Whether the rule matches an error; `status` is None if the error has none."""
        if self.status and status is not None and status not in self.status:
            return False
        words = words_of(sent, with_message=not self._is_hearsay(status, sent))
        return self.match.search(words) is not None

    def _is_hearsay(self, status: int | None, sent: object) -> bool:
        """Whether a message proves nothing: it may repeat what a caller has written.

        A caller must not be able to make an upstream look ill, which would shut it for all.
        """
        if self.reason not in _OF_THE_SERVICE or status not in _OF_THE_REQUEST:
            return False
        return isinstance(sent, dict) and isinstance(sent.get("code"), str) and bool(sent["code"])


def error_in(body: bytes) -> object:
    """Return the error of a body: an object, a text, or nothing."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document.get("error", document) if isinstance(document, dict) else {}


def words_of(error: object, *, with_message: bool = True) -> str:
    """Collect the words an error identifies itself with; only patterns ever look at them."""
    if not isinstance(error, dict):
        return str(error)[:MAX_CHARS]
    names = ("code", "type", "message") if with_message else ("code", "type")
    return " ".join(str(error.get(name, ""))[:MAX_CHARS] for name in names)


def message_of(error: object) -> str:
    """Return an error's own sentence, which is not to be shown as it is."""
    message = error.get("message") if isinstance(error, dict) else error
    return message[:MAX_CHARS] if isinstance(message, str) else ""
