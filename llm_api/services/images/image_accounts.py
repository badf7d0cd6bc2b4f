"""Money of jobs for pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llm_api.domain.making import FittedRequest
from llm_api.services.images.bills import cost_of, details_of, needs_of
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.jobs.accounts import JobAccounts
from llm_api.services.jobs.job_models import JobDestination
from llm_api.services.pricing import MadeCost
from llm_api.services.quotas.budgets import MakingNeeds


@dataclass(frozen=True, slots=True)
class ImageAccounts(JobAccounts):
    """Accounts for jobs for pictures."""

    def needs(
        self, fitted: Sequence[FittedRequest], at: JobDestination, now: datetime
    ) -> MakingNeeds:
        """Return what a request needs at most; see `needs_of`."""
        return needs_of(fitted, at, self.prices, now)

    def cost_of(self, document: ImageDocument, at: datetime) -> MadeCost | None:
        """See JobAccounts."""
        return cost_of(document, self.prices, at)

    def details_of(self, document: ImageDocument) -> Mapping[str, Any]:
        """See JobAccounts."""
        return details_of(document)
