"""Makes pictures for callers."""

import secrets
from datetime import datetime

from llm_api.domain.calls import Caller
from llm_api.domain.images import ImageRequest
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.tasks import Task
from llm_api.services.images.image_accounts import ImageAccounts
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.image_job import ImageJob
from llm_api.services.images.image_outcome import job_of
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.inputs import ImageInputs, InputTools
from llm_api.services.jobs.job import JobPreview
from llm_api.services.jobs.job_service import JobService
from llm_api.services.jobs.job_store import JobStore
from llm_api.services.jobs.order import Order
from llm_api.services.quotas.budgets import MakingNeeds
from llm_api.services.tasks.webhooks import Webhooks


class ImageService(JobService[ImageRequest, ImageJob]):
    """Makes pictures."""

    def __init__(
        self,
        jobs: JobStore,
        accounts: ImageAccounts,
        tools: InputTools,
        orders: Orders,
        webhooks: Webhooks,
    ) -> None:
        """Create the service; `orders` makes requests ready. See JobService for the others."""
        super().__init__(jobs, accounts, tools, webhooks)
        self._of_images, self._orders = accounts, orders

    def inputs(self, caller: Caller) -> ImageInputs:
        """See JobService."""
        return ImageInputs(self._tools, f"img_{secrets.token_urlsafe(24)}", caller)

    def preview(
        self, request: ImageRequest, caller: Caller, *, optimize: PromptRequest | None = None
    ) -> JobPreview:
        """Do everything but the call that is paid for; raises ApiError."""
        return self._previewed(self._order(request, caller, optimize))

    def _order(
        self, request: ImageRequest, caller: Caller, optimize: PromptRequest | None
    ) -> Order[ImageRequest]:
        return self._orders.order(request, caller, optimize)

    def _needs(self, order: Order[ImageRequest], now: datetime) -> MakingNeeds:
        return self._of_images.needs(order.all_fitted, order.at, now)

    def _job(self, task: Task) -> ImageJob:
        document = ImageDocument.read(task.document)
        has_files = any(part.kept for part in document.parts)
        return job_of(task, document, self._tools.files.of_task(task.id) if has_files else [])
