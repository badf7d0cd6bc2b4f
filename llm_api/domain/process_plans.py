"""What settings say of processes: how the service ends, a model of its own, whom commands ask."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from llm_api.domain.upstream_plans import Endpoint


@dataclass(frozen=True, slots=True)
class LocalJudgePlan:
    """A vision model of the user's own: the GGUF files of model and projector.

    `endpoint` is where it listens if somebody has started it already, else None.
    """

    model: Path
    projector: Path
    endpoint: Endpoint | None = None

    @property
    def name(self) -> str:
        """The model's name for callers: that of its file."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.model.stem)[:100].strip("-.") or "local-judge"


@dataclass(frozen=True, slots=True)
class ShutdownGrace:
    """For how many seconds calls go on after SIGTERM: most, and those that make pictures."""

    calls: int
    pictures: int

    @property
    def longest(self) -> int:
        """When the process is ended, whatever it does."""
        return max(self.calls, self.pictures)


@dataclass(frozen=True, slots=True)
class RemoteService:
    """The service that commands ask: its address without a slash at its end, and an API key.

    Without an address they work with the configuration at hand.
    """

    url: str | None
    key: str | None = field(repr=False)
