"""What callers see of making a film."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.making import Size
from llm_api.domain.tasks import TaskState
from llm_api.services.jobs.job import Job

QUEUED, RUNNING = TaskState.QUEUED.value, TaskState.RUNNING.value
STATUSES = tuple(state.value for state in TaskState)


@dataclass(frozen=True, slots=True)
class MadeFilm:
    """A film that was made and is kept; `beside` has pictures that came with it, by their names."""

    file: StoredFile
    seconds: float | None = None
    fps: float | None = None
    beside: Mapping[str, StoredFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoJob(Job):
    """A request for a film, and what has become of it.

    Attributes:
        asked: what was sent: `duration`, `resolution`, `aspect_ratio`, `audio`, `seed`, as far as
            the model takes them.
        size: in pixels, as it was asked for; the film's own is that of its file.
        is_cancelling: whether its end is wanted, and its vendor has not answered that yet.
        at_work: whether the vendor has begun with it.
        progress: percent; None where the vendor does not tell.
        vendor_prompt: the vendor's own rewrite, if it told.
    """

    asked: Mapping[str, Any] = field(default_factory=dict)
    size: Size | None = None
    is_cancelling: bool = False
    at_work: bool = False
    progress: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    vendor_prompt: str | None = None
    film: MadeFilm | None = None

    @property
    def status(self) -> str:
        """The word for its state: it is queued until the vendor has begun."""
        if not self.state.has_ended:
            return RUNNING if self.at_work else QUEUED
        return self.state.value
