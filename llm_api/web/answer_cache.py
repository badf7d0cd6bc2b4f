"""Which requests are answered from the cache: equal ones that ask for it with `X-Cache-TTL`.

Two requests are equal where route, body, caller, what the caller may use, the wanted age and this
service's models and settings are.
"""

import hashlib

from flask import Request, g

from llm_api.domain.access import ApiKey
from llm_api.domain.repeats import CacheRules, IdempotencyKey
from llm_api.errors import InvalidRequest

HEADER, ENVIRON = "X-Cache-TTL", "HTTP_X_CACHE_TTL"
STATE_HEADER = "x-cache"  # of answers: `hit` or `miss`
MAX_TTL_S = 31_536_000  # a year
_MAX_BYTES = 4 << 20
_MAX_DIGITS = len(str(MAX_TTL_S))


def cache_key(
    incoming: Request, caller_name: str, fingerprint: str, rules: CacheRules
) -> IdempotencyKey | None:
    """Return what identifies a request in the cache, None where it does not ask for the cache.

    Args:
        incoming: the request. `Cache-Control: no-cache` wants an answer that replaces the kept one.
        caller_name: who asks. No caller gets the answers of another.
        fingerprint: a hash of its path and body.
        rules: what the cache keeps.

    Raises:
        InvalidRequest: the header is no number of seconds.
    """
    text = incoming.environ.get(ENVIRON)
    if text is None:
        return None
    wanted = _seconds(text)
    seconds = min(wanted, rules.max_age_s)
    if not seconds:
        return None
    key: ApiKey | None = g.request_state.key
    allowed = "" if key is None else repr(key.models)
    parts = ("cache", caller_name, allowed, fingerprint, str(seconds), rules.digest)
    name = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
    joins = "no-cache" not in incoming.environ.get("HTTP_CACHE_CONTROL", "").lower()
    return IdempotencyKey(name, fingerprint, joins, seconds, _MAX_BYTES, is_cached=True)


def _seconds(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    seconds = int(text) if is_number else 0
    if not 1 <= seconds <= MAX_TTL_S:
        raise InvalidRequest.of_field(
            HEADER, f"must be a number of seconds from 1 to {MAX_TTL_S}.", reason="out_of_range"
        )
    return seconds
