"""What films cost: at most before they are made, and when their job has ended."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from llm_api.domain.made_bills import VideoBill
from llm_api.domain.making import FittedRequest
from llm_api.domain.videos import AUTO_SECONDS
from llm_api.services.jobs.accounts import JobAccounts, dearest
from llm_api.services.jobs.job_models import JobDestination
from llm_api.services.jobs.rows import usage_of
from llm_api.services.pricing import MadeCost
from llm_api.services.quotas.budgets import MakingNeeds
from llm_api.services.videos.video_document import VideoDocument

# Films are counted with one frame more than their seconds have: 121 of five seconds.
_ONE_FRAME_S = 1 / 24


@dataclass(frozen=True, slots=True)
class VideoAccounts(JobAccounts):
    """Accounts for jobs for films."""

    def needs(
        self, fitted: Sequence[FittedRequest], at: JobDestination, now: datetime
    ) -> MakingNeeds:
        """Return what a request needs at most, at the dearest of the models that may be asked."""
        cost = dearest([self.most(one, now) for one in fitted])
        return MakingNeeds(at.model, 0, max(map(_most_tokens, fitted)), cost, at.limits)

    def most(self, fitted: FittedRequest, now: datetime) -> MadeCost | None:
        """Return the most that a film can cost; None where its model has no price."""
        bill = VideoBill(
            1,
            Decimal(fitted.longest),
            fitted.fields["resolution"],
            has_sound(fitted),
            _most_tokens(fitted) or None,  # a profile that says none says nothing of them
        )
        return self.prices.video_cost(fitted.model, bill, now.date())

    def cost_of(self, document: VideoDocument, at: datetime) -> MadeCost | None:
        """See JobAccounts; a film that failed costs nothing."""
        usage, fitted = usage_of(document.parts), document.fitted
        seconds = usage.seconds
        if seconds is None and fitted.fields["duration"] != AUTO_SECONDS:
            seconds = fitted.fields["duration"]  # the vendor counts nothing: what it was asked for
        bill = VideoBill(
            usage.images or 0,
            None if seconds is None else Decimal(str(seconds)),
            fitted.fields["resolution"],
            has_sound(fitted),
            usage.output_tokens,
        )
        return self.prices.video_cost(fitted.model, bill, at.date())

    def details_of(self, document: VideoDocument) -> Mapping[str, Any]:
        """See JobAccounts."""
        usage, fitted = usage_of(document.parts), document.fitted
        return {
            "films": usage.images,
            "seconds": usage.seconds,
            "resolution": fitted.fields["resolution"],
            "audio": has_sound(fitted),
        }


def has_sound(fitted: FittedRequest) -> bool:
    """Whether a film has sound, as far as it was asked."""
    return bool(fitted.fields.get("audio", fitted.has_sound))


def _most_tokens(fitted: FittedRequest) -> int:
    pixels = fitted.size.pixels if fitted.size is not None else 0
    return math.ceil(pixels * (fitted.longest + _ONE_FRAME_S) * fitted.tokens_per_pixel)
