"""A workshop for tests of jobs: a real task store and ledger, and an upstream that is scripted."""

import base64
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from llm_api.domain.access import ApiKey, Limits
from llm_api.domain.calls import Caller, Model
from llm_api.domain.files import StoredFile
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import (
    FittedRequest,
    MadeUsage,
    Size,
    VendorFile,
    VendorResult,
    VendorTask,
)
from llm_api.domain.tasks import CancelState, WebhookPlan
from llm_api.errors import ApiError, NotFound, Unavailable
from llm_api.pictures.facts import PictureError, PictureFacts
from llm_api.runtime.drain import Drain
from llm_api.services.images import ImageService
from llm_api.services.images.image_accounts import ImageAccounts
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.images.image_work import PICTURES
from llm_api.services.images.keeping import Keeper
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_models import JobModels, ModelKind
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.job_work import JobWork
from llm_api.services.jobs.store_health import StoreHealth
from llm_api.services.pricing import Price, PriceList
from llm_api.services.quotas.budgets import BudgetService
from llm_api.services.quotas.enforcer import QuotaEnforcer
from llm_api.services.quotas.rate_counter import MonotonicMemoryStorage, RateCounter
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.storage.redis.concurrency import MemoryConcurrency
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.task_table import SqlTasks
from llm_api.storage.threads import StoreThreads
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.media.links import LinkFailed
from tests.services.calls import ListSink
from tests.support.schema import give_schema

CALLER = Caller(request_id="req_1", route="/api/v1/images/generate", address="192.0.2.1")
KEY = ApiKey("key_1", "shop")
CAT = ImageRequest("A cat")
SECRET = "whsec_" + "c2VjcmV0" * 4
SIGNED = WebhookPlan((SECRET,))
SQUARE = Size(1024, 1024)
Turn = VendorResult | VendorTask | ApiError | Callable[[], Any]


def made(*names: str, size: Size = SQUARE, **changes: Any) -> VendorResult:
    """Make the answer of a vendor with some pictures, whose bytes tell their names and size."""
    pictures = [
        VendorFile(base64.b64encode(f"PNG {size} {name}".encode())) for name in names or ("a",)
    ]
    return VendorResult(tuple(pictures), **changes)


def linked(*urls: str) -> VendorResult:
    """Make the answer of a vendor that hands out links."""
    return VendorResult(tuple(VendorFile(url=url) for url in urls))


class ScriptedImages:
    """An image upstream that answers each call with the next turn of its script."""

    def __init__(self, *turns: Turn, name: str = "image", model: str = "painter") -> None:
        """Answer creates with `turns`, and then always well; looks at tasks with `polls`."""
        self.name, self.default_model = name, model
        self.turns: deque[Turn] = deque(turns)
        self.polls: deque[Turn] = deque()
        self.parts: list[int] = []
        self.loaded: list[bytes] = []
        self.polled: list[str] = []
        self.cancelled: list[str] = []
        self.cancel_state: Any = CancelState.CANCELLED
        self.n_per_call = 1
        self.fitted: dict[str, Any] = {}
        self._lock = threading.Lock()

    def fit(self, request: ImageRequest, model: str) -> FittedRequest:
        """See ImageUpstream."""
        count, each = request.n, self.n_per_call
        parts = (each,) * (count // each) + ((count % each,) if count % each else ())
        fields = {} if request.seed is None else {"seed": request.seed}
        values = {"size": request.size, "seconds": 60.0, "references": request.references}
        return FittedRequest(
            model, request.prompt, parts, **{"fields": fields, **values, **self.fitted}
        )

    def preview(self, request: FittedRequest) -> list[Mapping[str, Any]]:
        """See ImageUpstream."""
        return [{"method": "POST", "url": "http://v/x", "body": {"prompt": request.prompt}}]

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        time_limit: float,
        **_: Any,
    ) -> UpstreamCall:
        """See ImageUpstream."""
        return UpstreamCall(
            total=time_limit, is_disconnected=is_disconnected, on_first_attempt=on_first_attempt
        )

    def create(
        self,
        request: FittedRequest,
        part: int,
        call: UpstreamCall,
        load: Callable[[Any], bytes],
        *,
        on_sent: Callable[[], None],
        **_: Any,
    ) -> Any:
        """See ImageUpstream."""
        self.loaded += [load(one) for one in request.references]
        with self._lock:
            turn = self.turns.popleft() if self.turns else made(*"abcdefgh"[: request.parts[part]])
        if isinstance(turn, ApiError) and not turn.may_have_charged and turn.reason == "refused":
            raise turn  # before it has left
        with call.attempt(self.name, self.name, request.model):
            on_sent()
            self.parts.append(part)
            return _played(turn)

    def poll(self, task_id: str, *_: Any) -> Any:
        """See ImageUpstream."""
        self.polled.append(task_id)
        return _played(self.polls.popleft() if self.polls else made())

    def cancel(self, task_id: str, *_: Any) -> CancelState:
        """See ImageUpstream."""
        self.cancelled.append(task_id)
        word: CancelState = _played(self.cancel_state)
        return word

    def close(self) -> None:
        """See ImageUpstream."""


def _played(turn: Turn) -> Any:
    if callable(turn):
        turn = turn()
    if isinstance(turn, ApiError):
        raise turn
    return turn


class MemoryFiles:
    """Keeps files in memory, and can be away."""

    def __init__(self) -> None:
        """Begin empty and there."""
        self.files: dict[str, tuple[StoredFile, bytes]] = {}
        self.refusals = 0

    def save(  # noqa: PLR0913  # as FileService has it
        self,
        task_id: str,
        key_id: str | None,
        data: bytes,
        media_type: str,
        *,
        width: int | None = None,
        height: int | None = None,
        is_input: bool = False,
    ) -> StoredFile:
        """See FileService."""
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("The disk is full.", reason="files_unavailable")
        now, size = datetime.now(UTC), len(data)
        file_id = f"file_{len(self.files)}"
        file = StoredFile(
            file_id, task_id, key_id, media_type, size, now, now, width, height, is_input
        )
        self.files[file_id] = file, data
        return file

    def of_task(self, task_id: str) -> list[StoredFile]:
        """See FileService."""
        return [file for file, _ in self.files.values() if file.task_id == task_id]

    def of_tasks(self, task_ids: Sequence[str]) -> dict[str, list[StoredFile]]:
        """See FileService."""
        return {task_id: self.of_task(task_id) for task_id in task_ids}

    def read_all(self, file: StoredFile) -> bytes:
        """See FileService."""
        return self.files[file.id][1]

    def pieces(self, file: StoredFile) -> Iterator[bytes]:
        """See FileService."""
        return iter([self.files[file.id][1]])

    def open(self, file_id: str, _: ApiKey | None) -> tuple[StoredFile, Iterator[bytes]]:
        """See FileService."""
        if file_id not in self.files:
            raise NotFound("There is no such file.", reason="file_not_found")
        return self.files[file_id][0], iter([self.files[file_id][1]])

    def delete_of_task(self, task_id: str) -> None:
        """See FileService."""
        for file in self.of_task(task_id):
            del self.files[file.id]


class PlainPictures:
    """Knows pictures that say what they are: `PNG 10x20 name`."""

    def inspect(self, data: bytes) -> PictureFacts:
        """See Pictures."""
        words = data.decode("latin-1").split(" ")
        if words[0] not in {"PNG", "JPEG"}:
            raise PictureError("", "is no picture.", defect="not_a_picture")
        width, _, height = words[1].partition("x")
        return PictureFacts(f"image/{words[0].lower()}", int(width), int(height))

    def convert(self, data: bytes, output_format: str, _: int | None) -> bytes:
        """See Pictures."""
        return data.replace(b"PNG", output_format.upper().encode())

    def prepare(self, data: bytes, **_: Any) -> Any:
        """See Pictures."""
        raise NotImplementedError

    def prepare_mask(self, data: bytes, **_: Any) -> Any:
        """See Pictures."""
        raise NotImplementedError


@dataclass
class Workshop:
    """What a test works with; `worker` makes another process's engine on the same store."""

    url: str
    kind: ClassVar[ModelKind] = IMAGE_MODELS
    upstreams: dict[str, ScriptedImages]
    prices: PriceList
    limits: Limits = field(default_factory=Limits)
    fallbacks: tuple[str, ...] = ()
    sink: ListSink = field(default_factory=ListSink)
    files: MemoryFiles = field(default_factory=MemoryFiles)
    links: dict[str, Any] = field(default_factory=dict)
    webhooks: WebhookPlan = SIGNED
    posted: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    answers: deque[int | LinkFailed] = field(default_factory=deque)
    drain: Drain = field(default_factory=Drain)
    lease: float = 30.0
    health: StoreHealth = field(default_factory=StoreHealth)

    def __post_init__(self) -> None:
        """Put it together."""
        self.engine_of_store = make_engine(self.url)
        self.tasks = SqlTasks(self.engine_of_store)
        self.budgets = SqlBudgets(self.engine_of_store)
        self.threads = StoreThreads(2)
        counter = RateCounter(MonotonicMemoryStorage(), ConnectionError)
        budgets = BudgetService(self.budgets, self.prices, self.threads)
        quotas = QuotaEnforcer(counter, MemoryConcurrency(), budgets, self.limits)
        self.accounts = self.accounts_of(quotas)
        kind = self.kind
        listed = [
            Model(up.default_model, name, kind=kind.kind) for name, up in self.upstreams.items()
        ]
        default = next(iter(self.upstreams), None)
        self.models = JobModels(kind, listed, self.upstreams, default, fallbacks=self.fallbacks)
        self.engine = self.worker()
        self.service = self.service_with(self.accounts)

    def accounts_of(self, quotas: QuotaEnforcer) -> Any:
        """Make what accounts for jobs."""
        return ImageAccounts(self.sink, self.prices, quotas)

    def service_with(self, accounts: Any, **options: Any) -> Any:
        """Make a service with other accounts, and other options of its store of jobs."""
        keep = timedelta(days=1)
        jobs = JobStore(self.tasks, self.threads, self.engine, keep, self.health, **options)
        tools = InputTools(self.files, PlainPictures(), self.fetch)
        optimizer: Any = None
        hooks = Webhooks(self.webhooks, self.engine, self)
        orders = Orders(self.models, optimizer)
        return ImageService(jobs, accounts, tools, orders, hooks)

    def worker(self, drain: Drain | None = None) -> TaskEngine:
        """Make the engine of a worker."""
        engine = TaskEngine(self.tasks, self.threads, drain or self.drain, lease=self.lease)
        hooks = Webhooks(self.webhooks, engine, self)
        self.register(engine, hooks)
        engine.register("webhook", hooks.send)
        return engine

    def register(self, engine: TaskEngine, hooks: Webhooks) -> None:
        """Have the jobs worked on."""
        keeper = Keeper(
            self.files, PlainPictures(), self.fetch, pauses=(0.01, 0.01), health=self.health
        )
        engine.register("image", JobWork(PICTURES, self.models, keeper, self.accounts, hooks))

    @staticmethod
    def accounts_now() -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], _: Any) -> int:
        """Receive a webhook, and answer with the next of the answers."""
        self.posted.append((url, body, headers))
        answer = self.answers.popleft() if self.answers else 200
        if isinstance(answer, LinkFailed):
            raise answer
        return answer

    def fetch(self, url: str, _: str) -> bytes:
        """Return what is at an address of a vendor."""
        found = self.links[url]
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, ApiError):
            raise found
        return bytes(found)

    def state_of(self, job_id: str) -> str:
        """Return the state of a job's first part, as it is stored."""
        task = self.tasks.get(job_id)
        assert task is not None
        return str(task.document["parts"][0]["state"])

    def close(self) -> None:
        """End the engine, and close the store."""
        self.engine.close()
        self.engine_of_store.dispose()


def price(**fields: Any) -> Price:
    """Make a price in CNY."""
    amounts = {n: Decimal(v) if isinstance(v, str) else v for n, v in fields.items()}
    return Price(date(2020, 1, 1), "CNY", **amounts)


@contextmanager
def workshop(folder: Path, *upstreams: ScriptedImages, **options: Any) -> Iterator[Any]:
    """Open a workshop with its store in a folder; `made_of` is its class."""
    url = f"sqlite:///{folder / 'tasks.db'}"
    give_schema(url)
    prices = PriceList({"painter": [price(image="0.2")], **options.pop("prices", {})})
    made_of = options.pop("made_of", Workshop)
    shop = made_of(url, {up.name: up for up in upstreams}, prices, **options)
    try:
        yield shop
    finally:
        shop.close()


def caller(number: int = 1, **changes: Any) -> Caller:
    """Make a caller with a request of its own."""
    return replace(CALLER, request_id=f"req_{number}", **changes)


def usage(**counts: Any) -> MadeUsage:
    """Make what a vendor has counted."""
    return MadeUsage(**counts)
