"""Works on the tasks of jobs, and accounts for those that have ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

from llm_api.domain.lineage import LineageEvent
from llm_api.domain.tracing import NoTraces, Resuming
from llm_api.errors import ApiError, Unavailable
from llm_api.services.images.accounts import JobAccounts
from llm_api.services.images.document import ENDED, FAILED, NEW, UNKNOWN, JobDocument, KnownError
from llm_api.services.images.image_models import ImageModels
from llm_api.services.images.job_run import JobRun
from llm_api.services.images.keeping import Keeper
from llm_api.services.images.outcome import error_of, pictures_event, report_of_end, state_of
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.services.tasks.webhooks import Webhooks

STEP = "make_pictures"  # its span's name


@dataclass(frozen=True, slots=True)
class ImageWork:
    """Works on tasks of the kind `image`; after a crash the end of one may be done once more."""

    models: ImageModels
    keeper: Keeper
    accounts: JobAccounts
    webhooks: Webhooks
    record: Callable[[LineageEvent], None] = lambda _: None
    traces: Resuming = field(default_factory=NoTraces)

    def __call__(self, claimed: ClaimedTask) -> None:
        """Work on a task until it has ended, or another process has to go on with it."""
        document = JobDocument.read(claimed.task.document)
        upstream = self.models.at(document.upstream)
        if upstream is None:  # it was removed from the settings meanwhile
            error = Unavailable(
                "The image model's upstream is not configured any more.",
                reason="image_model_not_configured",
                retryable=False,
            )
            self._end_without(claimed, document, error)
            return
        with self.traces.resumed(document.payer.traceparent, STEP) as trace:
            job = JobRun(
                claimed, document, upstream, models=self.models, keeper=self.keeper, trace=trace
            )
            has_ended = job.run()
        if has_ended:
            self.end(claimed, job.document)

    def _end_without(self, claimed: ClaimedTask, document: JobDocument, error: ApiError) -> None:
        for index, part in enumerate(document.parts):
            if part.state not in ENDED:
                was_sent = part.state != NEW
                document = document.with_part(
                    index, state=UNKNOWN if was_sent else FAILED, error=KnownError.of(error)
                )
        self.end(claimed, document)

    def end(self, claimed: ClaimedTask, document: JobDocument) -> None:
        """Account for a job whose parts have ended, and end its task."""
        error = error_of(document)
        # First what may come twice, and is dropped then: so nothing is lost by a crash in between.
        document = self.accounts.settle(claimed.task, document, error)
        self.record(pictures_event(claimed.task, document, error))
        state = state_of(document, has_time=claimed.remaining > 0)
        if document.callback_url is not None:
            about = report_of_end(document, error)
            self.webhooks.report(document.callback_url, claimed.task, state, about)
        claimed.end(state, document.to_json())
