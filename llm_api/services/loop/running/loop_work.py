"""Works on the tasks of loops, and ends them."""

from dataclasses import dataclass, field

from llm_api.domain.tracing import NoTraces, Resuming
from llm_api.services.jobs.document import KnownError
from llm_api.services.loop.choosing import best_first, best_try
from llm_api.services.loop.loop_document import LoopDocument
from llm_api.services.loop.loop_job import error_of, state_of
from llm_api.services.loop.running.loop_run import LoopRun
from llm_api.services.loop.running.steps import LoopSteps
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.services.tasks.webhooks import Webhooks

STEP = "loop"  # its span's name


@dataclass(frozen=True, slots=True)
class LoopWork:
    """Works on tasks of the kind `loop`; after a crash the end of one may be done once more."""

    steps: LoopSteps
    webhooks: Webhooks
    traces: Resuming = field(default_factory=NoTraces)

    def __call__(self, claimed: ClaimedTask) -> None:
        """Work on a task until it has ended, or another process has to go on with it."""
        document = LoopDocument.read(claimed.task.document)
        with self.traces.resumed(document.payer.traceparent, STEP) as trace:
            run = LoopRun(claimed, document, self.steps, trace)
            has_ended = run.run()
        if not has_ended:
            return
        document = run.document
        state = state_of(document)
        if document.callback_url is not None:
            about = _report(document)
            self.webhooks.report(document.callback_url, claimed.task, state, about)
        claimed.end(state, document.to_json())


def _report(document: LoopDocument) -> dict[str, object]:
    """Return what a webhook says of a loop that has ended: nothing of its prompt."""
    accept = document.plan.accept
    best = best_try(document.tries, accept)
    kept = [] if best is None else [one.file_id for one in best_first(best.pictures, accept)]
    error = error_of(document)
    known = None if error is None else KnownError.of(error)
    return {
        "files": kept,
        "failed": 0 if best is None else max(0, document.request.n - len(kept)),
        "error": None if known is None else {"reason": known.reason, "message": known.message},
        "stopped_by": document.stopped_by,
        "tries": len(document.tries),
    }
