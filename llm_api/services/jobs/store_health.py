"""Whether what vendors make could be kept."""

import time

_DOUBT_S = 30.0


class StoreHealth:
    """Whether files could be saved of late: what cannot be kept must not be bought."""

    def __init__(self) -> None:
        """Nothing has failed."""
        self._failed_at = float("-inf")

    def failed(self) -> None:
        """Note that a file could not be saved."""
        self._failed_at = time.monotonic()

    def succeeded(self) -> None:
        """Note that one was."""
        self._failed_at = float("-inf")

    @property
    def is_good(self) -> bool:
        """Whether none has failed in the last half minute, unless another one was saved since."""
        return time.monotonic() - self._failed_at > _DOUBT_S
