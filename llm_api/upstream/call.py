"""One call on its way to an upstream, with all its attempts."""

import socket
from collections.abc import Callable

from llm_api.domain import never
from llm_api.watch import Watched


class Call(Watched):
    """Counts the attempts and the upstream's time; its deadline is the total time-out."""

    def __init__(
        self,
        *,
        total: float,
        is_abandoned: Callable[[], bool] = never,
        on_first_attempt: Callable[[], None] | None = None,
    ) -> None:
        """Give the call `total` seconds from now."""
        # Both sides: an upstream that does not read holds up the sending.
        super().__init__(total=total, is_abandoned=is_abandoned, how=socket.SHUT_RDWR)
        self.attempts = 0
        self.upstream_s = 0.0
        self._on_first_attempt = on_first_attempt

    def begin_attempt(self) -> None:
        """Count an attempt, just before it is made."""
        self.attempts += 1
        if self.attempts == 1 and self._on_first_attempt is not None:
            self._on_first_attempt()
