"""A workshop for tests of films: a real task store and ledger, and an upstream that is scripted."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from llm_api.domain.calls import Caller
from llm_api.domain.making import FittedRequest, MadeUsage, Size, VendorFile, VendorResult
from llm_api.domain.making import VendorTask as TaskOfVendor
from llm_api.domain.tasks import Task
from llm_api.domain.videos import VideoRequest
from llm_api.errors import ApiError
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_rewriter import JobRewriter
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.job_work import JobWork
from llm_api.services.quotas.enforcer import QuotaEnforcer
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.services.videos import VideoService
from llm_api.services.videos.film_keeping import FilmKeeper
from llm_api.services.videos.video_bills import VideoAccounts
from llm_api.services.videos.video_document import VideoDocument
from llm_api.services.videos.video_models import VIDEO_MODELS
from llm_api.services.videos.video_orders import VideoOrders
from llm_api.services.videos.video_work import FILMS
from tests.services.images.workshop import (
    MemoryFiles,
    PlainPictures,
    ScriptedImages,
    Workshop,
    workshop,
)
from tests.support.films import film

FILM = VideoRequest("A cat", duration=5)
LINK = "https://vendor.example/cat.mp4"
WIDE = Size(1280, 720)


def asker(number: int = 1, **changes: Any) -> Caller:
    """Make a caller with a request of its own."""
    known = {"route": "/api/v1/videos/generate", "address": "192.0.2.1", **changes}
    return Caller(request_id=f"req_{number}", **known)


def film_made(url: str = LINK, *, beside: Mapping[str, str] | None = None, **counts: Any) -> Any:
    """Make the answer about a task that is done."""
    files = (VendorFile(url=url, beside=beside or {}),)
    return VendorResult(files, usage=MadeUsage(**counts))


def under_way(state: str = "running", progress: int | None = None) -> TaskOfVendor:
    """Make the answer about a task that is not done."""
    return TaskOfVendor("vendor-1", 0.0, state, progress)


class ScriptedFilms(ScriptedImages):
    """An upstream of films: it accepts a task, and answers looks at it with its `polls`."""

    def __init__(self, *turns: Any, name: str = "video", model: str = "director") -> None:
        """See ScriptedImages."""
        super().__init__(*turns, name=name, model=model)
        self.asked: list[VideoRequest] = []
        self.is_asked_for_sound = True

    def fit(self, request: Any, model: str) -> FittedRequest:
        """See VideoUpstream."""
        self.asked.append(request)
        fields = {"duration": request.duration or 5, "resolution": request.resolution or "720p"}
        fields |= {"aspect_ratio": "16:9"}
        if self.is_asked_for_sound:
            fields["audio"] = request.audio
        usual = {"size": WIDE, "seconds": 60.0, "longest": fields["duration"]}
        values = {"references": request.pictures, **usual, **self.fitted}
        return FittedRequest(model, request.prompt, (1,), fields=fields, **values)

    def create(self, *given: Any, **named: Any) -> Any:
        """See VideoUpstream."""
        if not self.turns:
            self.turns.append(under_way("queued"))
        return super().create(*given, **named)

    def poll(self, task_id: str, *_: Any) -> Any:
        """See VideoUpstream."""
        if not self.polls:
            self.polls.append(film_made())
        return super().poll(task_id)


class FileBytes(MemoryFiles):
    """Keeps files in memory; a film comes as one that is open."""

    def save(
        self, task_id: str, key_id: str | None, data: Any, media_type: str, **more: Any
    ) -> Any:  # type: ignore[override]  # a film has no bytes
        """See FileService."""
        if not isinstance(data, bytes):
            data.seek(0)
            data = data.read()
        return super().save(task_id, key_id, data, media_type, **more)


@dataclass
class FilmShop(Workshop):
    """What a test of films works with; `links` has what is at addresses of the vendor.

    `life` is how long a link is looked at whose server fails; see FilmKeeper.
    """

    kind = VIDEO_MODELS
    life: float = 0.0

    def __post_init__(self) -> None:
        """Put it together."""
        self.files: FileBytes = FileBytes()
        self.links.setdefault(LINK, film())
        self.saved: list[Mapping[str, Any]] = []
        super().__post_init__()

    def accounts_of(self, quotas: QuotaEnforcer) -> VideoAccounts:
        """See Workshop."""
        return VideoAccounts(self.sink, self.prices, quotas)

    def service_with(self, accounts: VideoAccounts, **options: Any) -> VideoService:
        """See Workshop."""
        keep = timedelta(days=1)
        jobs = JobStore(
            self.tasks, self.threads, self.engine, keep, self.health, kind="video", **options
        )
        tools = InputTools(self.files, PlainPictures(), self.fetch)
        nothing: Any = None  # is rewritten
        rewriter = JobRewriter(nothing, {})
        orders = VideoOrders(self.models, rewriter)
        hooks = Webhooks(self.webhooks, self.engine, self)
        return VideoService(jobs, accounts, tools, orders, hooks)

    def register(self, engine: TaskEngine, hooks: Webhooks) -> None:
        """See Workshop."""
        keeper = FilmKeeper(
            self.files,
            PlainPictures(),
            self.fetched,
            pauses=(0.01, 0.01),
            life=self.life,
            health=self.health,
        )
        engine.register("video", JobWork(FILMS, self.models, keeper, self.accounts, hooks))

    def fetched(self, url: str, _: VideoDocument, max_bytes: int, file: BinaryIO) -> None:
        """Write what is at an address of the vendor to a file."""
        found = self.links[url]
        if isinstance(found, list):
            found = found.pop(0)
        if callable(found):
            found = found()
        if isinstance(found, ApiError):
            raise found
        file.write(found[:max_bytes])

    def document_of(self, job_id: str) -> Mapping[str, Any]:
        """Return what the task of a job keeps."""
        return self.task_of(job_id).document

    def task_of(self, job_id: str) -> Task:
        """Return the task of a job."""
        task = self.tasks.get(job_id)
        assert task is not None
        return task


@contextmanager
def film_shop(folder: Path, *upstreams: ScriptedFilms, **options: Any) -> Iterator[FilmShop]:
    """Open a workshop of films with its store in a folder."""
    with workshop(folder, *upstreams, made_of=FilmShop, **options) as shop:
        yield shop
