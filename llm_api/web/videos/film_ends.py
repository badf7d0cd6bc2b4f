"""Ends films before their time, as far as their vendors can."""

from flask import g

from llm_api.domain.tasks import CancelState
from llm_api.errors import Conflict
from llm_api.services.videos import VideoJob
from llm_api.web.request.context import RequestState, acting_admin, services

# The place of a film in a path: longer than what stands there besides, such as `generate`, and
# OpenAI's `extensions` and `characters`.
FILM = "/<string(minlength=12):video_id>"
_NOT_CANCELLABLE = "task_not_cancellable"
GOES_ON = Conflict(
    "The vendor works on this film, and cannot cancel it: it goes on, and is paid for.",
    reason=_NOT_CANCELLABLE,
)


def cancelled_film(job_id: str) -> VideoJob:
    """Cancel a film of the caller's.

    Raises:
        NotFound: there is none.
        Conflict: it has ended otherwise, or its vendor cannot cancel it.
    """
    state: RequestState = g.request_state
    job, outcome = services().videos.cancel(job_id, state.key, acting_admin())
    if outcome is CancelState.CANCELLED:
        return job
    if job.is_cancelling:
        message = (
            "The vendor has not answered yet: this film is cancelled as soon as that is possible;"
            " look at it again."
        )
        raise Conflict(message, reason=_NOT_CANCELLABLE)
    if not job.state.has_ended:
        raise Conflict(GOES_ON.message, reason=_NOT_CANCELLABLE)
    raise Conflict(
        f"This film has ended ({job.status}): there is nothing to cancel.", reason=_NOT_CANCELLABLE
    )
