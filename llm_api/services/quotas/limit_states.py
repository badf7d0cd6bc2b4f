"""What is left of the limits of keys and groups at the moment."""

from collections.abc import Iterator
from dataclasses import dataclass

import limits

from llm_api.domain.access import ApiKey, KeyGroup, Limits
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from llm_api.services.quotas.subjects import IMAGES, TOKENS, Subject
from llm_api.storage.redis.concurrency import ConcurrencyCounter

_KEY, _GROUP = "key", "group"  # whose a limit is


@dataclass(frozen=True, slots=True)
class LimitLeft:
    """What is left of a limit.

    Attributes:
        holder: whose it is, `key` or `group`.
        name: which: a field of Limits.
        text: of a limit by time, such as `60/minute`; empty for calls at once.
        limit, left: requests, tokens, pictures, or calls in progress.
        is_shared: whether all processes count in it; otherwise it is what this one has counted.
    """

    holder: str
    name: str
    text: str
    limit: int
    left: int
    is_shared: bool


class LimitReader:
    """Reads what is left of limits; nothing is counted for that."""

    def __init__(
        self, counter: RateCounter, concurrency: ConcurrencyCounter, default: Limits
    ) -> None:
        """Look at the counts of calls; `default` are the limits of keys without their own."""
        self._counter, self._concurrency, self._default = counter, concurrency, default

    def of_key(self, key: ApiKey) -> list[LimitLeft]:
        """Return what is left of what holds a key: its own limits or the default, its group's."""
        own = list(self._of(Subject(_KEY, key.id, key.limits.or_else(self._default))))
        return own if key.group is None else own + self.of_group(key.group)

    def of_group(self, group: KeyGroup) -> list[LimitLeft]:
        """Return what is left of the limits that the keys of a group share."""
        return list(self._of(Subject(_GROUP, group.id, group.limits)))

    def _of(self, subject: Subject) -> Iterator[LimitLeft]:
        held = subject.limits
        for name, text, counted_as in (
            ("requests", held.requests, subject.name),
            ("tokens_per_minute", _a_minute(held.tokens_per_minute), subject.name + TOKENS),
            ("images_per_minute", _a_minute(held.images_per_minute), subject.name + IMAGES),
        ):
            if text is not None:
                for item in parse_limits(text):
                    state, is_shared = self._counter.look(item, counted_as)
                    facts = (_text(item), state.limit, state.remaining, is_shared)
                    yield LimitLeft(subject.scope, name, *facts)
        for kind, most in (
            ("requests", held.concurrent_requests),
            ("streams", held.concurrent_streams),
        ):
            if most is not None:
                count, is_shared = self._concurrency.held(f"{subject.name}:{kind}")
                left = max(0, most - count)
                yield LimitLeft(subject.scope, f"concurrent_{kind}", "", most, left, is_shared)


def _a_minute(count: int | None) -> str | None:
    return None if count is None else f"{count}/minute"


def _text(item: limits.RateLimitItem) -> str:
    many = "" if item.multiples == 1 else f"{item.multiples} "
    return f"{item.amount}/{many}{item.GRANULARITY.name}"
