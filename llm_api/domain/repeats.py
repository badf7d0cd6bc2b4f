"""The nouns of repeated requests, which get the answer of the first."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Identifies requests that are the same.

    `key` names them and `fingerprint` is a hash of their body. `joins` is false for a request that
    must not get an older answer. The finished answer is kept for `keep_s` seconds if it has at most
    `max_bytes`; `is_cached` is whether that is the cache's, so that it takes no room from repeats.
    """

    key: str
    fingerprint: str
    joins: bool
    keep_s: float
    max_bytes: int
    is_cached: bool = False


@dataclass(frozen=True, slots=True)
class CacheRules:
    """What the cache of answers keeps.

    `max_age_s` is the longest that an answer is kept; 0 switches the cache off. `digest` stands for
    everything of this service that can change an answer.
    """

    max_age_s: int
    digest: str


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """A complete, successful answer."""

    content_type: str
    headers: Mapping[str, str]
    body: bytes
