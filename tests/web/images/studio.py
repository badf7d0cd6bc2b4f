"""Stands in for the services of pictures: it makes what a test says, and notes what it gets."""

import base64
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import InputPicture, MadeUsage, MakingFailure, Notice, Size
from llm_api.domain.tasks import TaskState
from llm_api.errors import ApiError, InvalidRequest, NotFound
from llm_api.services.images import ImageJob, JobPreview, MadePicture
from llm_api.upstream.media.vendor_protocol import Preview

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
BYTES = b"\x89PNG-not-really" * 7
PIXEL = base64.b64encode(BYTES).decode()
DATA_URI = f"data:image/png;base64,{PIXEL}"


def stored(number: int, content: bytes = BYTES) -> StoredFile:
    """Make the properties of a file."""
    return StoredFile(
        f"file_{number:08}", "img_1", None, "image/png", len(content), NOW, NOW, 64, 48
    )


def job_of(pictures: int = 1, **changes: Any) -> ImageJob:
    """Make a job that has ended well."""
    done = ImageJob(
        "img_1",
        TaskState.SUCCEEDED,
        NOW,
        NOW + timedelta(days=7),
        "qwen-image",
        "image",
        "A cat",
        "A cat",
        pictures=tuple(MadePicture(stored(i), i, seed=7 + i) for i in range(pictures)),
        usage=MadeUsage(images=pictures, pixels=3072 * pictures),
        cost_micro=200_000,
        currency="CNY",
        upstream_ms=21_034,
    )
    return replace(done, **changes)


RUNNING = job_of(0, state=TaskState.RUNNING, poll_after_ms=2_000, cost_micro=None, currency=None)
FAILURE = (
    2,
    MakingFailure("content_filtered", "The picture was refused.", stage="output", what="image"),
)
NOTICE = Notice("negative_prompt", "emulated", "It was added to the prompt.")


@dataclass
class Asked:
    """One call of `generate` or `preview`."""

    request: ImageRequest
    options: Mapping[str, Any]


@dataclass
class Inputs:
    """The pictures of one request."""

    read_pictures: list[tuple[str, bytes]] = field(default_factory=list)
    fetched: list[tuple[str, str]] = field(default_factory=list)
    own_files: list[tuple[str, str]] = field(default_factory=list)
    is_discarded: bool = False
    mask_sizes: list[Size] = field(default_factory=list)

    def read(self, data: bytes, field: str) -> InputPicture:
        """Read a picture; its text "bad" stands for one that is none."""
        if data == b"bad":
            raise InvalidRequest.of_field(field, "must be a picture.", reason="invalid_image")
        self.read_pictures.append((field, data))
        return InputPicture(f"in_{field}", "image/png", 64, 48, len(data))

    def read_mask(self, data: bytes, field: str, size: Size) -> InputPicture:
        """Read a mask."""
        self.read_pictures.append((field, data))
        self.mask_sizes.append(size)
        return InputPicture(f"in_{field}", "image/png", size.width, size.height, len(data))

    def fetch(self, url: str, field: str) -> InputPicture:
        """Fetch a picture."""
        self.fetched.append((field, url))
        return InputPicture("fetched", "image/png", 64, 48, 10)

    def own(self, file_id: str, field: str) -> InputPicture:
        """Return a file of the caller."""
        self.own_files.append((field, file_id))
        return InputPicture(file_id, "image/png", 64, 48, 10)

    def discard(self) -> None:
        """Note that they are not needed."""
        self.is_discarded = True


class Studio:
    """Both services: `outcome` is the job or the error of the next calls."""

    def __init__(self) -> None:
        """Make one picture a call."""
        self.outcome: ImageJob | BaseException = job_of()
        self.begins = True  # whether there is a job before the outcome
        self.previews: list[Preview] = []
        self.asked: list[Asked] = []
        self.inputs_of_requests: list[Inputs] = []
        self.jobs: dict[str, ImageJob] = {}
        self.looked_at: list[tuple[str, float]] = []
        self.cancelled = "cancelled"
        self.purged: list[str] = []
        self.contents: dict[str, bytes | ApiError] = {}
        self.gate = threading.Event()  # what holds a job up
        self.gate.set()
        self.has_begun = threading.Event()
        self.on_generate: Callable[[], object] = lambda: None

    def inputs(self, caller: object) -> Inputs:
        """Return what reads the pictures of one request."""
        del caller
        self.inputs_of_requests.append(Inputs())
        return self.inputs_of_requests[-1]

    def generate(
        self,
        request: ImageRequest,
        caller: object,
        *,
        on_job: Callable[[str], None],
        on_preview: Callable[[Preview], None] | None = None,
        **options: Any,
    ) -> ImageJob:
        """Make pictures."""
        self.asked.append(Asked(request, {**options, "caller": caller}))
        if self.begins:
            on_job("img_1")
        self.has_begun.set()
        self.on_generate()
        for preview in self.previews if on_preview else ():
            on_preview(preview)
        self.gate.wait(20)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        self.jobs[self.outcome.id] = self.outcome
        return self.outcome

    def joined(self, identity: object) -> str | None:
        """Know no job of before."""
        del identity
        return None

    def preview(self, request: ImageRequest, caller: object, **options: Any) -> JobPreview:
        """Return what would be sent."""
        self.asked.append(Asked(request, {**options, "caller": caller}))
        sent = {"method": "POST", "url": "https://host/v1/images", "body": {"prompt": "A cat"}}
        return JobPreview("qwen-image", "image", "A cat", "A cat", (sent,), notices=(NOTICE,))

    def job(self, task_id: str, key: object, *, wait: float = 0) -> ImageJob:
        """Return a job."""
        del key
        self.looked_at.append((task_id, wait))
        if task_id not in self.jobs:
            raise NotFound("There is no such job.", reason="job_not_found")
        return self.jobs[task_id]

    def cancel(self, task_id: str, key: object, _: object) -> tuple[ImageJob, str]:
        """Cancel a job."""
        return self.job(task_id, key), self.cancelled

    def purge(self, task_id: str, key: object, _: object) -> None:
        """Delete a job."""
        self.job(task_id, key)
        self.purged.append(task_id)

    def pieces(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file, in pieces that are no multiple of three."""
        content = self.contents.get(file.id, BYTES)
        if isinstance(content, ApiError):
            raise content
        for at in range(start, end, 10):
            yield content[at : min(at + 10, end)]
