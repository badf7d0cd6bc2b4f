"""A store of keys in memory that can be away, and counts how often it is asked."""

from datetime import datetime

from llm_api.domain.access import ApiKey
from llm_api.storage import StoreError


def _nothing() -> None:
    pass


class KeptKeys:
    """Finds keys by the digests of their secrets; `before` is called at the beginning of a look."""

    def __init__(self) -> None:
        """Begin empty and there."""
        self.keys: dict[str, ApiKey] = {}
        self.is_away = False
        self.looks: list[str] = []
        self.before = _nothing

    def add(self, key: ApiKey, digest: str) -> None:
        """See KeyStore."""
        self.keys[digest] = key

    def find(self, digest: str, at: datetime) -> ApiKey | None:
        """See KeyStore."""
        self.looks.append(digest)
        self.before()
        if self.is_away:
            raise StoreError("The database is away.")
        key = self.keys.get(digest)
        return key if key is not None and key.is_valid(at) else None


class Clock:
    """A clock that somebody moves."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds
