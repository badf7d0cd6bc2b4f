"""The service."""

from collections.abc import Callable
from typing import Protocol

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller
from llm_api.domain.images import ImageRequest
from llm_api.domain.prompts import PromptRequest
from llm_api.services.images.inputs import ImageInputs
from llm_api.services.images.job import ImageJob, ImagePreview
from llm_api.upstream.images.protocol import Preview


class ImageService(Protocol):
    """Makes pictures."""

    def inputs(self, caller: Caller) -> ImageInputs:
        """Return what reads the pictures of one request."""

    def generate(
        self,
        request: ImageRequest,
        caller: Caller,
        *,
        wait: float,
        optimize: PromptRequest | None = None,
        inputs: ImageInputs | None = None,
        callback_url: str | None = None,
        on_preview: Callable[[Preview], None] | None = None,
        on_job: Callable[[str], None] | None = None,
    ) -> ImageJob:
        """Make pictures."""

    def preview(
        self, request: ImageRequest, caller: Caller, *, optimize: PromptRequest | None = None
    ) -> ImagePreview:
        """Do everything but the paid call."""

    def job(self, task_id: str, key: ApiKey | None, *, wait: float = 0) -> ImageJob:
        """Return a job."""

    def cancel(self, task_id: str, key: ApiKey | None) -> tuple[ImageJob, str]:
        """Cancel a job."""

    def purge(self, task_id: str, key: ApiKey | None) -> None:
        """Delete a job."""
