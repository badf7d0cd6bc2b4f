"""What the task of a job for a film keeps."""

from dataclasses import dataclass

from llm_api.domain.videos import VideoRequest
from llm_api.services.jobs.document import JobDocument


@dataclass(frozen=True, slots=True)
class VideoDocument(JobDocument[VideoRequest]):
    """A job for a film as its task keeps it."""

    request: VideoRequest
