"""The nouns of repeated requests, which get the answer of the first."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Identifies requests that are the same.

    `key` names them and `fingerprint` is a hash of their body. `joins` is false for the first
    request of its kind, which must not get an older answer. The finished answer is kept for
    `keep_s` seconds if it has at most `max_bytes`.
    """

    key: str
    fingerprint: str
    joins: bool
    keep_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """A complete, successful answer."""

    content_type: str
    headers: Mapping[str, str]
    body: bytes
