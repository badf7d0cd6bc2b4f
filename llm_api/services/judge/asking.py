"""Asks a vision model: each question is a call of its own, with a usage row of its own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any, Generic, TypeVar

from llm_api.domain.calls import Caller, CallReport, Completion, ModelRequest, Timing, TokenUsage
from llm_api.domain.tracing import step
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, UpstreamFault
from llm_api.services.field_names import of_prompt
from llm_api.services.judge.picture_parts import unseen
from llm_api.services.judge.questions import Question
from llm_api.services.pricing import PriceList
from llm_api.services.routing.catalogue import Destination, call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall, UsageLedger

UNREADABLE = "judge_unparsable"
_LEAST_S = 0.001
_WHOLE = frozenset({"stop", ""})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Reply(Generic[_T]):
    """What a model has said, None where it could not be read, and a warning where there is one."""

    said: _T | None
    warning: str | None = None


@dataclass(slots=True)
class _Told:
    """What is known of the calls of a request so far."""

    reports: list[CallReport] = field(default_factory=list)
    costs: list[tuple[int, str] | None] = field(default_factory=list)
    model: str | None = None


class Hearing:
    """The calls for one request to judge: one caller, one destination, one time limit."""

    def __init__(
        self, ledger: UsageLedger, prices: PriceList, destination: Destination, caller: Caller
    ) -> None:
        """Start the clock; nothing is asked yet."""
        self._ledger, self._prices = ledger, prices
        self._destination, self._caller = destination, caller
        self._started = time.monotonic()
        self._told = _Told()

    @property
    def model(self) -> str | None:
        """The model that has answered last, as the upstream names it."""
        return self._told.model

    @property
    def report(self) -> CallReport:
        """What is known of all calls together."""
        return reduce(_with, self._told.reports, CallReport())

    @property
    def cost(self) -> tuple[int | None, str | None]:
        """The cost of all calls in millionths, and its currency; None where one is not known."""
        known = [cost for cost in self._told.costs if cost is not None]
        currencies = {currency for _, currency in known}
        if len(known) < len(self._told.costs) or len(currencies) != 1:
            return None, None
        return sum(micro for micro, _ in known), currencies.pop()

    def ask(self, question: Question[_T]) -> Reply[_T]:
        """Ask a question, and once more where the answer cannot be read.

        Raises:
            ContentFiltered: a filter has refused the pictures, the prompt, or the answer.
            ApiError: no upstream answered. Its report is of all calls so far.
        """
        try:
            return self._asked(question)
        except ApiError as error:
            # What was paid for before counts, too.
            report = _with(self.report, error.report or CallReport())
            raise error.replaced(report=report) from error

    def _asked(self, question: Question[_T]) -> Reply[_T]:
        estimate = partial(question.estimate, self._destination)
        with (
            step(self._next_caller(), "judge") as caller,
            self._ledger.account(self._destination, caller, estimate) as accounted,
        ):
            (at, parameters, completion), fallback = call_with_fallbacks(
                self._destination, accounted.call, partial(_first, question, accounted)
            )
            warning = unseen(parameters, [one for _, one in question.pictures], completion, at)
            said = _read(question, completion)
            if said is None:
                accounted.call.record_rejection(UNREADABLE)
                said = _repaired(question, accounted, at, (parameters, completion))
        self._note(accounted.report(fallback), completion, at)
        return Reply(said, warning)

    def _next_caller(self) -> Caller:
        """Return who pays for the next call: each has a row, and so an id, of its own."""
        caller, number = self._caller, len(self._told.reports) + 1
        lineage = caller.lineage_id or caller.request_id
        caller = replace(caller, lineage_id=lineage)
        if number > 1:
            caller = replace(
                caller,
                request_id=f"{caller.request_id}-{number}",
                shown_id=caller.shown_id or caller.request_id,
            )
        if caller.time_limit is None:
            return caller
        left = caller.time_limit - (time.monotonic() - self._started)
        return replace(caller, time_limit=max(_LEAST_S, left))

    def _note(self, report: CallReport, completion: Completion, at: Destination) -> None:
        named = completion.document.get("model")
        self._told.model = named if isinstance(named, str) and named else at.model
        self._told.reports.append(report)
        model = report.attempts[-1].model
        day = datetime.now(UTC).date()
        self._told.costs.append(self._prices.cost(model, report.usage, day))


def unreadable(report: CallReport) -> UpstreamFault:
    """Return the error of a request whose answers could not be read."""
    fault = UpstreamFault(
        "The vision model did not answer in the form that was asked for, also when it was asked"
        " again; there is no score.",
        reason=UNREADABLE,
        retryable=True,
    )
    return fault.replaced(report=report, may_have_charged=True)


def _first(
    question: Question[Any], accounted: AccountedCall, at: Destination
) -> tuple[Destination, Mapping[str, Any], Completion]:
    parameters = question.parameters(at)
    return at, parameters, _completed(question, accounted, at, parameters)


def _repaired(
    question: Question[_T],
    accounted: AccountedCall,
    at: Destination,
    first: tuple[Mapping[str, Any], Completion],
) -> _T | None:
    """Ask once more; None where that cannot be read either, or there is no time."""
    if not accounted.call.allows_attempt:
        return None
    parameters, completion = first
    again = _completed(question, accounted, at, question.repair(parameters, completion.text))
    said = _read(question, again)
    if said is None:
        accounted.call.record_rejection(UNREADABLE)
    return said


def _completed(
    question: Question[Any],
    accounted: AccountedCall,
    at: Destination,
    parameters: Mapping[str, Any],
) -> Completion:
    # All but the messages may be left out where a model refuses it.
    defaults = frozenset(parameters) - {"messages"}
    try:
        completion = accounted.complete(at, ModelRequest(None, parameters, defaults=defaults))
    except InvalidRequest as error:
        raise of_judged(error, question.field) from error
    choice = completion.document["choices"][0]
    message = choice["message"]
    # `moderation_hit_type` is Ark's: https://www.volcengine.com/docs/82379/1494384
    signs = (message.get("refusal"), choice.get("moderation_hit_type"))
    if choice.get("finish_reason") == "content_filter" or any(signs):
        message = "The model service's content filter refused the picture or the prompt."
        raise ContentFiltered(message, reason="content_filtered")
    return completion


def of_judged(error: InvalidRequest, pictures: str = "image") -> InvalidRequest:
    """Return an error as the caller knows the request; `pictures` is the field that has them."""
    is_of_messages = any(field.field.startswith("messages") for field in error.fields)
    if error.reason == "not_supported" and is_of_messages:
        return blind_model().replaced(report=error.report)
    return of_prompt(error, pictures=pictures)


def blind_model() -> InvalidRequest:
    """Return the error for a model that takes no pictures."""
    message = "must be a model that takes pictures."
    return InvalidRequest.of_field("model", message, reason="not_supported")


def _read(question: Question[_T], completion: Completion) -> _T | None:
    """Return what an answer says; one that was cut off says nothing."""
    reason = completion.document["choices"][0].get("finish_reason")
    # A reason that is no text, such as a number, does not say that the answer is whole.
    is_whole = reason is None or (isinstance(reason, str) and reason.lower() in _WHOLE)
    return question.read(completion.text) if is_whole else None


def _with(sum_so_far: CallReport, report: CallReport) -> CallReport:
    """Return the report of calls together with one more."""
    before, now = sum_so_far.timing, report.timing
    first_token = before.first_token if sum_so_far.attempts else now.first_token
    return CallReport(
        attempts=sum_so_far.attempts + report.attempts,
        timing=Timing(before.queue + now.queue, before.upstream + now.upstream, first_token),
        usage=_sum([sum_so_far, report]),
        answer_count=sum_so_far.answer_count + report.answer_count,
        dropped=tuple(dict.fromkeys(sum_so_far.dropped + report.dropped)),
        fallback=sum_so_far.fallback or report.fallback,
        limits=report.limits or sum_so_far.limits,
        client_deadline_passed=report.client_deadline_passed,
    )


def _sum(reports: Sequence[CallReport]) -> TokenUsage:
    # A call without an answer has counted nothing; what the others have is known all the same.
    usages = [report.usage for report in reports if report.answer_count]
    return reduce(TokenUsage.plus, usages) if usages else TokenUsage()
