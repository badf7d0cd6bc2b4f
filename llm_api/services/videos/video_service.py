"""Makes films for callers."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.tasks import Task, TaskState
from llm_api.domain.videos import VideoRequest
from llm_api.errors import InvalidRequest
from llm_api.services.jobs.document import VIDEO
from llm_api.services.jobs.inputs import ImageInputs, InputTools
from llm_api.services.jobs.job import JobPreview
from llm_api.services.jobs.job_rewriter import PLACEHOLDER
from llm_api.services.jobs.job_service import JobService
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.order import Order
from llm_api.services.quotas.budgets import MakingNeeds
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.services.videos.video_bills import VideoAccounts
from llm_api.services.videos.video_document import PREFIX, VideoDocument
from llm_api.services.videos.video_job import QUEUED, RUNNING, VideoJob
from llm_api.services.videos.video_orders import VideoOrders
from llm_api.services.videos.video_outcome import video_job_of
from llm_api.upstream.media.video_profiles import VideoModel

_MAX_COST = "max_cost_micros"
# Whether the vendor has begun, the rows do not say.
_OPEN = (TaskState.QUEUED, TaskState.RUNNING)


class VideoService(JobService[VideoRequest, VideoJob]):
    """Makes films."""

    answers_with_tasks: ClassVar = True

    def __init__(
        self,
        jobs: JobStore,
        accounts: VideoAccounts,
        tools: InputTools,
        orders: VideoOrders,
        webhooks: Webhooks,
    ) -> None:
        """Create the service; `orders` makes requests ready. See JobService for the others."""
        super().__init__(jobs, accounts, tools, webhooks)
        self._of_films, self._orders = accounts, orders

    def inputs(self, caller: Caller) -> ImageInputs:
        """See JobService."""
        return ImageInputs(self._tools, f"{PREFIX}{secrets.token_urlsafe(24)}", caller)

    def traits_of(self, model: str, key: ApiKey | None) -> VideoModel:
        """Return what a model takes; raises NotFound, or Forbidden where it is not for the key."""
        return self._orders.traits_of(model, key)

    def target_of(self, model: str, key: ApiKey | None) -> str:
        """Return the target of rewrites for a model; raises as `traits_of` does."""
        return self._orders.target_of(model, key)

    def preview(
        self, request: VideoRequest, caller: Caller, *, optimize: PromptRequest | None = None
    ) -> JobPreview:
        """Do everything but the call that is paid for; raises ApiError.

        It says what the film can cost, also where that is more than `max_cost_micro`.
        """
        return self._previewed(self._orders.order(request, caller, optimize))

    def listed(
        self,
        key: ApiKey | None,
        *,
        status: str | None = None,
        after: str | None = None,
        limit: int = 20,
        is_oldest_first: bool = False,
    ) -> tuple[list[VideoJob], bool]:
        """Return jobs of a key, the newest first, and whether there are more.

        Args:
            key: whose they are; None: of callers without one.
            status: of `STATUSES`; None for jobs of any.
            after: the id of the last one of the page before; raises NotFound for one that is none.
            limit: how many at most.
            is_oldest_first: whether the oldest come first.
        """
        last = None if after is None else self._jobs.of_key(after, key)
        look = partial(
            self._jobs.tasks.of_key,
            VIDEO,
            None if key is None else key.id,
            states=_states_of(status),
            at_most=limit + 1,
            is_oldest_first=is_oldest_first,
        )
        found: list[VideoJob] = []
        while len(found) <= limit:
            tasks = self._jobs.run(partial(look, after=last))
            jobs = self._shown([task for task in tasks if not self._jobs.is_over(task)])
            found += [job for job in jobs if status in {None, job.status}]
            if len(tasks) <= limit:
                break
            last = tasks[-1]
        return found[:limit], len(found) > limit

    def _order(
        self, request: VideoRequest, caller: Caller, optimize: PromptRequest | None
    ) -> Order[VideoRequest]:
        if request.max_cost_micro is None:
            return self._orders.order(request, caller, optimize)
        if optimize is not None:
            # What costs too much is refused before anybody is paid for a rewrite.
            self._affordable(self._orders.order(replace(request, prompt=PLACEHOLDER), caller, None))
        return self._affordable(self._orders.order(request, caller, optimize))

    def _affordable(self, order: Order[VideoRequest]) -> Order[VideoRequest]:
        """Return an order without the fallbacks that may cost too much.

        Raises InvalidRequest where that is so at the model itself, or its price is not known.
        """
        most, now = order.request.max_cost_micro or 0, self._now()
        first, *others = [self._of_films.most(one, now) for one in order.all_fitted]
        if first is None or first.micro is None:
            message = f"cannot be kept: the model {order.at.model} has no price for this film."
            raise InvalidRequest.of_field(_MAX_COST, message, reason="price_unknown")
        if first.micro > most:
            message = f"is too low: the film can cost {first.micro} millionths of {first.currency}."
            raise InvalidRequest.of_field(_MAX_COST, message, reason="max_cost_too_low")
        kept = [
            other
            for other, cost in zip(order.others, others, strict=True)
            if cost is not None
            and cost.currency == first.currency
            and cost.micro is not None
            and cost.micro <= most
        ]
        return replace(order, others=tuple(kept))

    def _needs(self, order: Order[VideoRequest], now: datetime) -> MakingNeeds:
        return self._of_films.needs(order.all_fitted, order.at, now)

    def _job(self, task: Task) -> VideoJob:
        [job] = self._shown([task])
        return job

    def _shown(self, tasks: Sequence[Task]) -> list[VideoJob]:
        """Return what callers see of tasks, whose files are read together."""
        read = [(task, VideoDocument.read(task.document)) for task in tasks]
        kept = [task.id for task, document in read if any(part.kept for part in document.parts)]
        files = self._tools.files.of_tasks(kept)
        return [video_job_of(task, document, files.get(task.id, ())) for task, document in read]


def _states_of(status: str | None) -> Sequence[TaskState]:
    if status is None:
        return ()
    return _OPEN if status in {QUEUED, RUNNING} else (TaskState(status),)
