"""A workshop for tests of loops: real jobs and a real store, a scripted rewriter and judge."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Attempt, Caller, CallReport, CallResult, TokenUsage
from llm_api.domain.judging import (
    CheckpointVerdict,
    JudgedPicture,
    JudgeRequest,
    Outcome,
    Verdict,
)
from llm_api.domain.loops import Acceptance, Amount, LoopPlan
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import ApiError, RateLimited, UpstreamFault
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.loop import LoopJob, LoopService
from llm_api.services.loop.brake import Brake
from llm_api.services.loop.loop_document import LoopDocument
from llm_api.services.loop.running.loop_work import LoopWork
from llm_api.services.loop.running.steps import LoopSteps
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Destination
from llm_api.services.tasks.engine import TaskEngine
from llm_api.services.tasks.webhooks import Webhooks
from tests.services.images.workshop import (
    CAT,
    PlainPictures,
    ScriptedImages,
    Workshop,
    caller,
    price,
    workshop,
)

Judging = Callable[[JudgeRequest], Verdict | ApiError]
FAILED = CheckpointVerdict("Does the picture show a dog?", Outcome.FAILED)
LOST = Verdict("vision", passed=False, overall=40.0, checkpoints=(FAILED,), confidence="high")
GOOD = replace(
    LOST, passed=True, overall=80.0, checkpoints=(replace(FAILED, outcome=Outcome.PASSED),)
)
BROKEN = UpstreamFault("The judge wrote nothing that can be read.", reason="judge_unparsable")
PRICES = {
    "writer": [price(input="1", output="2")],
    "seer": [price(input="1", output="2")],
}
UNTIL = LoopPlan(max_tries=4)


def told(model: str, *, prompt: int = 100, completion: int = 50) -> CallReport:
    """Make the report of a call that was answered."""
    attempts = (Attempt(model, model, model),)
    usage = TokenUsage(prompt, completion, source="upstream")
    return CallReport(attempts, usage=usage, answer_count=1)


def place(model: str) -> Destination:
    """Say where a call goes."""
    upstream: Any = None
    return Destination(upstream, model, None)


@dataclass
class ScriptedWriter:
    """Rewrites every prompt in one way, or fails with the next of its errors."""

    is_enabled: bool = True
    errors: deque[ApiError] = field(default_factory=deque)
    asked: list[PromptRequest] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    report: Callable[[], CallReport] = lambda: told("writer")  # a default

    def needs(self, request: PromptRequest, key: ApiKey | None) -> Any:
        """See PromptOptimizer."""
        del request, key
        return TokenEstimate(200, 100), place("writer")

    def optimize(self, request: PromptRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """See PromptOptimizer."""
        self.asked.append(request)
        self.callers.append(caller)
        if self.errors:
            raise self.errors.popleft()
        return CallResult(
            OptimizedPrompt(request.prompt, f"{request.prompt} In warm light."), self.report()
        )


@dataclass
class ScriptedJudge:
    """Gives the next of its verdicts, and then only good ones."""

    files: Any
    verdicts: deque[Verdict | ApiError | Judging] = field(default_factory=deque)
    has_vision: bool = True
    asked: list[JudgeRequest] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    report: Callable[[], CallReport] = lambda: told("seer")  # a default

    def own_picture(self, file_id: str, key: ApiKey | None, field: str) -> JudgedPicture:
        """See JudgeService."""
        del field
        data = b"".join(self.files.open(file_id, key)[1])
        return JudgedPicture(data, "image/png", 8, 8, data)

    def needs(self, request: JudgeRequest, key: ApiKey | None) -> Any:
        """See JudgeService."""
        del request, key
        return (TokenEstimate(1_000, 500), place("seer")) if self.has_vision else None

    def score(self, request: JudgeRequest, caller: Caller) -> CallResult[Verdict]:
        """See JudgeService."""
        self.asked.append(request)
        self.callers.append(caller)
        verdict = self.verdicts.popleft() if self.verdicts else GOOD
        report = CallReport() if isinstance(verdict, RateLimited) else self.report()
        if callable(verdict):
            verdict = verdict(request)
        if isinstance(verdict, ApiError):
            raise verdict.replaced(report=report)
        return CallResult(verdict, report)


@dataclass
class LoopShop:
    """What a test of loops works with."""

    shop: Workshop
    vendor: ScriptedImages
    writer: ScriptedWriter
    judge: ScriptedJudge
    keys: dict[str, ApiKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put it together."""
        shop = self.shop
        jobs = JobStore(shop.tasks, shop.threads, shop.engine, shop.service._jobs.keep, shop.health)
        writer: Any = self.writer
        self.steps = LoopSteps(
            jobs,
            shop.service,
            shop.service._orders,
            shop.accounts,
            writer,
            self.judge,
            Brake(shop.prices),
            self.keys.get,
        )
        hooks = Webhooks(shop.webhooks, shop.engine, shop)
        tools = InputTools(shop.files, PlainPictures(), shop.fetch)  # type: ignore[arg-type]
        self.service = LoopService(self.steps, tools, hooks)
        self.register(shop.engine)

    def register(self, engine: TaskEngine) -> None:
        """Have an engine work on loops."""
        work = LoopWork(self.steps, Webhooks(self.shop.webhooks, engine, self.shop))
        engine.register("loop", work)

    def run(self, plan: LoopPlan = UNTIL, **options: Any) -> LoopJob:
        """Run a loop to its end."""
        asking = options.pop("caller", caller())
        request = options.pop("request", replace(CAT, prompt="A cat and a dog"))
        return self.service.generate(request, asking, plan=plan, wait=30, **options)

    @property
    def prompts(self) -> list[str]:
        """The prompts of the jobs, in their order."""
        tasks = [self.shop.tasks.get(job_id) for job_id in self.shop_jobs]
        return [task.document["fitted"]["prompt"] for task in tasks if task is not None]

    @property
    def shop_jobs(self) -> list[str]:
        """The ids of the jobs that have files, in their order."""
        files = [file for file, _ in self.shop.files.files.values() if not file.is_input]
        return list(dict.fromkeys(file.task_id for file in files))

    def document(self, loop_id: str) -> LoopDocument:
        """Read a loop."""
        task = self.shop.tasks.get(loop_id)
        assert task is not None
        return LoopDocument.read(task.document)

    def left_behind(self, document: LoopDocument, loop_id: str = "loop_1") -> Task:
        """Store the task of a worker that was killed."""
        now = self.shop.accounts_now()
        task = replace(
            self.service._prepared(document.request, caller(), document.plan, None, loop_id, None),
            state=TaskState.RUNNING,
            document=document.to_json(),
            claimed_by="dead",
            claimed_until=now,
        )
        self.shop.tasks.add(task)
        return task


def limited(amount: str, tries: int = 4, **accept: Any) -> LoopPlan:
    """Plan with a limit of CNY."""
    micro = round(float(amount) * 1_000_000)
    return LoopPlan(accept=Acceptance(**accept), max_tries=tries, max_cost=Amount(micro, "CNY"))


@contextmanager
def loop_shop(
    folder: Path, *verdicts: Verdict | ApiError | Judging, **options: Any
) -> Iterator[LoopShop]:
    """Open a workshop for loops, whose judge gives these verdicts first."""
    vendor = options.pop("vendor", None) or ScriptedImages()
    prices: Mapping[str, Sequence[Any]] = {**PRICES, **options.pop("prices", {})}
    keys = options.pop("keys", {})
    with workshop(folder, vendor, prices=prices, **options) as shop:
        judge = ScriptedJudge(shop.files, deque(verdicts))
        yield LoopShop(shop, vendor, ScriptedWriter(), judge, keys)
