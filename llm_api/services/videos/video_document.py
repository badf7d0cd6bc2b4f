"""What the task of a job for a film keeps."""

from dataclasses import dataclass

from llm_api.domain.videos import VideoRequest
from llm_api.services.jobs.document import JobDocument

PREFIX = "video_"  # of the ids of such jobs


@dataclass(frozen=True, slots=True)
class VideoDocument(JobDocument[VideoRequest]):
    """A job for a film as its task keeps it."""

    request: VideoRequest


def is_film(task_id: str) -> bool:
    """Whether an id is of a job for a film."""
    return task_id.startswith(PREFIX)
