"""Works on the tasks of jobs, and accounts for those that have ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llm_api.domain.lineage import LineageEvent
from llm_api.domain.tasks import Task
from llm_api.domain.tracing import NoTraces, Resuming
from llm_api.errors import ApiError, Unavailable
from llm_api.services.jobs.accounts import JobAccounts
from llm_api.services.jobs.document import ENDED, FAILED, NEW, UNKNOWN, JobDocument, KnownError
from llm_api.services.jobs.job_needs import Keeping, SecondTry, Upstreams, nothing_instead
from llm_api.services.jobs.job_run import JobRun
from llm_api.services.jobs.outcome import error_of, report_of_end, state_of
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.services.tasks.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class MadeKind:
    """What jobs of a kind are for: pictures, or films.

    Attributes:
        document: what their tasks keep.
        step: the name of their spans.
        noun: of the model, in errors.
        not_configured: reason of the error where its upstream is not there any more.
        event: what a lineage has of a job that has ended.
        second_try: what to ask for instead of what has failed, and what its caller is told of that;
            None for nothing. It must not return anything for what it has returned.
    """

    document: type[JobDocument[Any]]
    step: str
    noun: str
    not_configured: str
    event: Callable[[Task, Any, ApiError | None], LineageEvent]
    second_try: SecondTry = nothing_instead


@dataclass(frozen=True, slots=True)
class JobWork:
    """Works on tasks of one kind; after a crash the end of one may be done once more."""

    kind: MadeKind
    models: Upstreams
    keeper: Keeping
    accounts: JobAccounts
    webhooks: Webhooks
    record: Callable[[LineageEvent], None] = lambda _: None
    traces: Resuming = field(default_factory=NoTraces)

    def __call__(self, claimed: ClaimedTask) -> None:
        """Work on a task until it has ended, or another process has to go on with it."""
        document = self.kind.document.read(claimed.task.document)
        upstream = self.models.at(document.upstream)
        if upstream is None:  # it was removed from the settings meanwhile
            error = Unavailable(
                f"The {self.kind.noun}'s upstream is not configured any more.",
                reason=self.kind.not_configured,
                retryable=False,
            )
            self._end_without(claimed, document, error)
            return
        with self.traces.resumed(document.payer.traceparent, self.kind.step) as trace:
            job = JobRun(
                claimed,
                document,
                upstream,
                models=self.models,
                keeper=self.keeper,
                trace=trace,
                second_try=self.kind.second_try,
            )
            has_ended = job.run()
        if has_ended:
            self.end(claimed, job.document)

    def _end_without(
        self, claimed: ClaimedTask, document: JobDocument[Any], error: ApiError
    ) -> None:
        for index, part in enumerate(document.parts):
            if part.state not in ENDED:
                was_sent = part.state != NEW
                document = document.with_part(
                    index, state=UNKNOWN if was_sent else FAILED, error=KnownError.of(error)
                )
        self.end(claimed, document)

    def end(self, claimed: ClaimedTask, document: JobDocument[Any]) -> None:
        """Account for a job whose parts have ended, and end its task."""
        error = error_of(document)
        # First what may come twice, and is dropped then: so nothing is lost by a crash in between.
        document = self.accounts.settle(claimed.task, document, error)
        self.record(self.kind.event(claimed.task, document, error))
        state = state_of(document, has_time=claimed.remaining > 0)
        if document.callback_url is not None:
            about = report_of_end(document, error)
            self.webhooks.report(document.callback_url, claimed.task, state, about)
        claimed.end(state, document.to_json())
