"""What the task of a job for pictures keeps."""

from dataclasses import dataclass

from llm_api.domain.images import ImageRequest
from llm_api.services.jobs.document import JobDocument


@dataclass(frozen=True, slots=True)
class ImageDocument(JobDocument[ImageRequest]):
    """A job for pictures as its task keeps it."""

    request: ImageRequest
