"""What a loop does with the rest of the service: rewrites, makes pictures, judges them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallResult
from llm_api.domain.images import ImageRequest
from llm_api.domain.judging import JudgedPicture, JudgeRequest, Verdict
from llm_api.domain.loops import LoopPlan
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.domain.tasks import Task
from llm_api.errors import NotFound, Unauthorized
from llm_api.services.images import ImageJob, ImageService
from llm_api.services.images.image_accounts import ImageAccounts
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.order import Order
from llm_api.services.loop.brake import Brake, Priced, TextNeeds
from llm_api.services.loop.feedback import rewrite_of
from llm_api.services.loop.loop_document import REWRITING, LoopDocument, LoopTry, step_id
from llm_api.services.prompts import PromptOptimizer, requirements_of

_SEEDS = 2**31  # as the routes take them


class PictureJudge(Protocol):
    """What gives verdicts: JudgeService does."""

    def own_picture(self, file_id: str, key: ApiKey | None, field: str) -> JudgedPicture:
        """Read a file of this service; raises ApiError."""

    def needs(self, request: JudgeRequest, key: ApiKey | None) -> TextNeeds:
        """Return what one verdict on one picture takes at most; raises ApiError.

        None: the picture is only measured, which is free.
        """

    def score(self, request: JudgeRequest, caller: Caller) -> CallResult[Verdict]:
        """Return the verdict on one picture; raises ApiError."""


@dataclass(frozen=True, slots=True)
class LoopSteps:
    """The steps of loops, and what each takes at most.

    `find_key` returns a key by its id as it is now, None for one that is no longer valid.
    """

    jobs: JobStore
    images: ImageService
    orders: Orders
    accounts: ImageAccounts
    optimizer: PromptOptimizer
    judge: PictureJudge
    brake: Brake
    find_key: Callable[[str], ApiKey | None]

    def key_of(self, task: Task) -> ApiKey | None:
        """Return the key that pays, as it is now; raises Unauthorized where it is not valid."""
        if task.key_id is None:
            return None
        key = self.find_key(task.key_id)
        if key is None:
            message = "The API key is not valid any more."
            raise Unauthorized(message, reason="invalid_api_key")
        return key

    def order(self, document: LoopDocument, one: LoopTry, caller: Caller) -> Order[ImageRequest]:
        """Make the request of a try ready; raises ApiError."""
        request, passed = document.request, one.number - 1
        seed = None if request.seed is None else (request.seed + passed * request.n) % _SEEDS
        made = replace(request, prompt=one.prompt, seed=seed, is_optimized=one.is_optimized)
        order = self.orders.order(made, caller, None)
        return replace(order, prompt_original=request.prompt, notices=one.notices)

    def begin(
        self, order: Order[ImageRequest], loop: Task, number: int, caller: Caller, now: datetime
    ) -> None:
        """Write the job of a try down, and begin it; raises ApiError, or StoreError.

        After a StoreError nobody knows whether it was written: it is looked up before it is tried
        again. So its reservation is given up only here, where no job is known.
        """
        job_id = step_id(loop.id, number)
        task = order.task(job_id, caller, now, keep=self.jobs.keep, callback_url=None)
        document = replace(ImageDocument.read(task.document), inputs_of=loop.id)
        if document.payer.has_budget:
            self.accounts.release(task.request_id)
        needs = self.accounts.needs(order.all_fitted, order.at, now)
        with self.accounts.reserve(needs, caller):
            self.jobs.engine.run(replace(task, document=document.to_json()))

    def job(
        self, loop_id: str, number: int, key: ApiKey | None, wait: float = 0
    ) -> ImageJob | None:
        """Return the job of a try, after at most `wait` seconds; None where there is none."""
        try:
            return self.images.job(step_id(loop_id, number), key, wait=wait)
        except NotFound:
            return None

    def cancel(self, loop_id: str, number: int, now: datetime) -> None:
        """Ask for the end of the job of a try."""
        job_id = step_id(loop_id, number)
        self.jobs.run(partial(self.jobs.tasks.ask_to_cancel, job_id, now))
        running = self.jobs.engine.running(job_id)
        if running is None:
            self.jobs.engine.wake()
        else:
            running.ask_to_cancel()

    def is_crowded_out(self, loop_id: str, number: int) -> bool:
        """Whether the job of a try may wait for the place that its loop has."""
        engine = self.jobs.engine
        return engine.is_full and engine.running(step_id(loop_id, number)) is None

    def rewrite(
        self, document: LoopDocument, one: LoopTry, caller: Caller
    ) -> CallResult[OptimizedPrompt]:
        """Rewrite the prompt of a try; raises ApiError."""
        return self.optimizer.optimize(self._wanted(document, one, caller.key), caller)

    def _wanted(self, document: LoopDocument, one: LoopTry, key: ApiKey | None) -> PromptRequest:
        """Return how the prompt of a try is to be rewritten; raises ApiError."""
        request = document.request
        wanted = rewrite_of(request.prompt, one.fed_back, document.optimize)
        return self.orders.wanted(wanted, request, self.orders.destination(request, key).model)

    def price_of_rewrite(
        self, document: LoopDocument, one: LoopTry, key: ApiKey | None, now: datetime
    ) -> list[Priced]:
        """Price the rewrite of a try; raises ApiError."""
        wanted = self._wanted(document, one, key)
        return self.brake.of_text(self.optimizer.needs(wanted, key), now)

    def price_of_pictures(self, order: Order[ImageRequest], now: datetime) -> list[Priced]:
        """Price the pictures of a try."""
        return self.brake.of_pictures(order.all_fitted, order.at, now)

    def price_of_verdict(
        self, document: LoopDocument, key: ApiKey | None, now: datetime
    ) -> list[Priced]:
        """Price the verdict on one picture; raises ApiError."""
        asked = self.judge_request(document.request, document.plan, ())
        return self.brake.of_text(self.judge.needs(asked, key), now)

    def price_of_try(
        self, document: LoopDocument, one: LoopTry, caller: Caller, now: datetime
    ) -> list[Sequence[Priced]]:
        """Price all calls of a whole try; raises ApiError."""
        of_rewrite: list[Priced] = []
        if one.state == REWRITING:
            of_rewrite = self.price_of_rewrite(document, one, caller.key, now)
        of_pictures = self.price_of_pictures(self.order(document, one, caller), now)
        of_verdict = self.price_of_verdict(document, caller.key, now)
        return [of_rewrite, of_pictures, *[of_verdict] * document.request.n]

    def judge_request(
        self, request: ImageRequest, plan: LoopPlan, pictures: Sequence[JudgedPicture]
    ) -> JudgeRequest:
        """Return what the judge is asked: whether pictures show what the caller's prompt says."""
        options = plan.judging
        return JudgeRequest(
            tuple(pictures),
            prompt=request.prompt,
            checkpoints=options.checkpoints,
            requirements=requirements_of(request.prompt),
            samples=options.samples,
            threshold=options.threshold,
            model=options.model,
        )

    def judged(
        self, document: LoopDocument, picture: JudgedPicture, caller: Caller
    ) -> CallResult[Verdict]:
        """Judge a picture; raises ApiError."""
        asked = self.judge_request(document.request, document.plan, [picture])
        return self.judge.score(asked, caller)
