"""What the work on jobs has to know of films."""

from dataclasses import replace

from llm_api.domain.making import Notice
from llm_api.domain.videos import VideoRequest
from llm_api.services.jobs.document import FAILED, FILTERED
from llm_api.services.jobs.job_work import MadeKind
from llm_api.services.videos.video_document import VideoDocument
from llm_api.services.videos.video_models import VIDEO_MODELS
from llm_api.services.videos.video_outcome import film_event

_SILENT = "A content filter refused the sound that the model made: the film was made without."


def silent_film(document: VideoDocument) -> tuple[VideoRequest, Notice] | None:
    """Return what to ask for where a filter has refused the sound that the model made itself.

    Such refusals are often wrong and never repeat the same way; the film has cost nothing. None
    where it is something else, or its caller has not allowed it.
    """
    request, [part] = document.request, document.parts
    error = part.error
    if part.state != FAILED or error is None or error.reason != FILTERED:
        return None
    is_own_sound = error.what == "audio" and error.stage != "input"
    # A model that makes sound always is not asked about it, and cannot leave it out.
    has_sound = document.fitted.fields.get("audio") is True and not request.reference_audios
    if not (is_own_sound and has_sound and request.retries_without_audio):
        return None
    silent = replace(request, audio=False, retries_without_audio=False)
    return silent, Notice("audio", "adapted", _SILENT)


FILMS = MadeKind(
    document=VideoDocument,
    step="make_film",
    noun="video model",
    not_configured=VIDEO_MODELS.reason,
    event=film_event,
    second_try=silent_film,
)
