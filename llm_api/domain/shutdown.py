"""How long a process that is to end goes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShutdownGrace:
    """For how many seconds calls go on after SIGTERM: most, and those that make pictures."""

    calls: int
    pictures: int

    @property
    def longest(self) -> int:
        """When the process is ended, whatever it does."""
        return max(self.calls, self.pictures)
