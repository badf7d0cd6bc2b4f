"""Keeps a loop within its `max_cost`: says what a step can cost at most, and what it has cost.

A step is only begun where the most that it can cost is left. Where nobody knows what it has cost,
that most counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from llm_api.domain.calls import CallReport
from llm_api.domain.judging import MEASURED, Verdict
from llm_api.domain.loops import Amount
from llm_api.domain.making import FittedRequest
from llm_api.errors import InvalidRequest
from llm_api.services.images import ImageJob
from llm_api.services.images.bills import needs_of
from llm_api.services.jobs.job_models import JobDestination
from llm_api.services.loop.loop_document import NOTHING
from llm_api.services.pricing import PriceList
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Destination

UNKNOWN = Amount(None)
# A prompt's tokens are estimated by its length, and tokenizers differ.
_MARGIN = 2
# A model that has spent all its tokens on thoughts is asked once more, without them.
_ASKED = 2
# What a call of a model for texts needs at most, and where it goes; None: it is free.
TextNeeds = tuple[TokenEstimate, Destination] | None


@dataclass(frozen=True, slots=True)
class Priced:
    """The most that a call can cost at one of the models that may answer it."""

    model: str
    most: Amount


@dataclass(frozen=True, slots=True)
class Brake:
    """Prices steps before they are begun, and after they have ended."""

    prices: PriceList

    def of_text(self, needs: TextNeeds, now: datetime) -> list[Priced]:
        """Price a call of a model for texts, at each of the models that may answer it."""
        if needs is None or not needs[0].tokens:
            return []
        estimate, at = needs
        prompt = estimate.prompt_tokens * _MARGIN * _ASKED
        completion = estimate.completion_tokens * _ASKED
        usage = TokenEstimate(prompt, completion).usage
        # Where thoughts have a price of their own, the answer may be nothing else.
        usages = (usage, replace(usage, reasoning_tokens=completion))
        places = [at, *at.fallbacks, *([at.longer_context] if at.longer_context else [])]
        found = [
            (one.model, self.prices.cost(one.model, each, now.date()))
            for one in places
            for each in usages
        ]
        return [Priced(name, UNKNOWN if cost is None else Amount(*cost)) for name, cost in found]

    def of_pictures(
        self, fitted: Sequence[FittedRequest], at: JobDestination, now: datetime
    ) -> list[Priced]:
        """Price a call for pictures, at each of the models that may be asked."""
        found = [(one.model, needs_of([one], at, self.prices, now).cost) for one in fitted]
        return [
            Priced(name, UNKNOWN if cost is None else Amount(cost.micro, cost.currency))
            for name, cost in found
        ]

    def spent_on(self, report: CallReport | None, now: datetime) -> Amount:
        """Return what a call of a model for texts has cost."""
        if report is None or not report.attempts:
            return NOTHING
        cost = self.prices.cost(report.attempts[-1].model, report.usage, now.date())
        return UNKNOWN if cost is None else Amount(*cost)

    def spent_on_failure(self, report: CallReport | None, now: datetime) -> Amount:
        """Return what calls of models for texts have cost that ended with an error.

        Nobody knows it where an attempt was not answered, or where another model was asked, too:
        the tokens of all calls are counted together, and each model has its own price.
        """
        if report is None or not report.attempts:
            return NOTHING
        models = {attempt.model for attempt in report.attempts}
        is_known = len(models) == 1 and report.answer_count >= len(report.attempts)
        return self.spent_on(report, now) if is_known else UNKNOWN

    def spent_on_verdict(self, verdict: Verdict, report: CallReport, now: datetime) -> Amount:
        """Return what a verdict has cost; one that was measured has cost nothing."""
        if verdict.cost_micro is not None:
            return Amount(verdict.cost_micro, verdict.currency)
        return NOTHING if verdict.method == MEASURED else self.spent_on(report, now)


def spent_on_pictures(job: ImageJob) -> Amount:
    """Return what the job of a try has cost."""
    if not job.report.attempts:
        return NOTHING
    return Amount(job.cost_micro, job.currency)


def dearest(priced: Sequence[Priced]) -> Amount:
    """Return the most that a call can cost, whichever of the models answers it."""
    highest = NOTHING
    for one in priced:
        if one.most.micro is None or highest.plus(one.most).micro is None:
            return UNKNOWN
        highest = max(highest, one.most, key=lambda amount: amount.micro or 0)
    return highest


def most_of(calls: Sequence[Sequence[Priced]]) -> Amount:
    """Return the most that several calls can cost together."""
    total = NOTHING
    for priced in calls:
        total = total.plus(dearest(priced))
    return total


def check_prices(priced: Sequence[Priced], max_cost: Amount) -> None:
    """Raise InvalidRequest where a limit cannot be kept, because a price is not known."""
    for one in priced:
        if one.most.micro is None or (one.most.micro and one.most.currency != max_cost.currency):
            message = f"cannot be kept: the model {one.model} has no price in {max_cost.currency}."
            raise InvalidRequest.of_field("until.max_cost", message, reason="price_unknown")
