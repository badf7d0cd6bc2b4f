"""Gets a rewrite from a model: one call, judged, and at most one more that says what was wrong."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from llm_api.domain.calls import CallReport, Completion, ModelRequest
from llm_api.errors import ApiError, InvalidRequest
from llm_api.services.prompts.checks.violations import Violation, violation
from llm_api.services.prompts.repair.quotations import with_marks_restored
from llm_api.services.prompts.repair.repairer import Repairer
from llm_api.services.prompts.strategies.guided_decoding import GuidedStrategy
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import RewriteValidator, ValidationResult
from llm_api.services.quotas.estimates import TokenEstimate, estimate_chat
from llm_api.services.routing.catalogue import Destination
from llm_api.services.routing.fallback import call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone, ShuttingDown

logger = logging.getLogger(__name__)
UNUSABLE = "unusable_answer"
_NOT_TRANSLATED = Violation(
    "not_translated", "The model is too small to translate it.", is_hard=True
)


@dataclass(frozen=True, slots=True)
class RewriteResult:
    """What became of a task: usable rewrites, the best first, and what was wrong.

    `improvements` and `repairs` are those of the first. `problems` are those of the best that was
    got, `first_problems` those of the first answer.
    """

    rewrites: Sequence[str]
    improvements: Sequence[str]
    repairs: Sequence[str]
    problems: Sequence[Violation]
    first_problems: Sequence[Violation]
    method: str
    version: str
    model: str
    report: CallReport = field(default_factory=CallReport)


def nothing_within(wait_ms: int, report: CallReport) -> RewriteResult:
    """Say that no answer came in the time that the caller gave."""
    message = f"No answer came within the {wait_ms} ms of max_wait_ms."
    problems = [Violation("no_answer_in_time", message, is_hard=True)]
    return RewriteResult(
        [], [], [], problems, problems, method="", version="", model="", report=report
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer, and how it was got; a form that has nothing to ask gets none."""

    at: Destination
    form: GuidedStrategy | InstructedStrategy
    parameters: Mapping[str, Any] | None
    completion: Completion | None


class Rewriter:
    """Does the tasks."""

    def __init__(self) -> None:
        """Read the forms' texts."""
        self._instructed = InstructedStrategy()
        self._judge = RewriteValidator(self._instructed.instructions)
        self._guided = GuidedStrategy(self._judge)
        self._repairer = Repairer(self._judge)

    def needs(self, task: Task, destination: Destination) -> TokenEstimate:
        """Estimate what a task takes at most: a model that follows rules may be asked twice."""
        form = self._form_at(destination)
        parameters = form.parameters(task, has_json_mode=destination.has_json_mode)
        if parameters is None:
            return TokenEstimate(0, 0)
        once = estimate_chat(parameters)
        return once if form is self._guided else once.twice()

    def _form_at(self, at: Destination) -> GuidedStrategy | InstructedStrategy:
        return self._guided if at.is_guided else self._instructed

    def rewrite(
        self, task: Task, destination: Destination, accounted: AccountedCall
    ) -> RewriteResult:
        """Ask, judge, and ask once more where that can help; raises ApiError."""
        call = accounted.call
        asked, fallback = call_with_fallbacks(
            destination, call, partial(self._asked, task, accounted)
        )
        verdicts = self._verdicts(task, asked)
        first = verdicts
        mended = self._mended(task, verdicts, self._repairer.lightly)
        if not any(one.is_good for one in mended) and _may_ask_again(asked, call):
            call.record_rejection(UNUSABLE)
            corrected = self._corrected(task, asked, verdicts, accounted)
            verdicts = [*corrected, *verdicts]
            mended = [*self._mended(task, corrected, self._repairer.lightly), *mended]
        if not any(one.is_usable for one in mended):
            mended = self._mended(task, verdicts, self._repairer.thoroughly)
        usable = [self._repairer.framed(task, one) for one in mended if one.is_usable]
        usable.sort(key=lambda one: not one.is_good)
        best = usable[0] if usable else _best(verdicts)
        return RewriteResult(
            rewrites=list(dict.fromkeys(one.rewrite for one in usable))[: task.request.n],
            improvements=best.improvements if usable else [],
            repairs=best.repairs,
            problems=best.violations,
            first_problems=_best(first).violations,
            method=asked.form.method,
            version=asked.form.version(task),
            model=_model_of(asked),
            report=accounted.report(fallback),
        )

    def _asked(self, task: Task, accounted: AccountedCall, at: Destination) -> _Asked:
        form = self._form_at(at)
        parameters = form.parameters(task, has_json_mode=at.has_json_mode)
        if parameters is None:
            return _Asked(at, form, None, None)
        return _Asked(at, form, parameters, _complete(accounted, at, parameters))

    def _verdicts(self, task: Task, asked: _Asked) -> Sequence[ValidationResult]:
        """Validate the rewrites of an answer."""
        rewrites = asked.form.rewrites(task, asked.completion)
        if asked.form is self._guided:
            verdicts = [self._judge.judge_composed(task, one) for one in rewrites]
        else:
            verdicts = [self._judged(task, one) for one in rewrites]
        return verdicts or [ValidationResult("", [_why_none(task, asked)])]

    def _judged(self, task: Task, rewrite: str) -> ValidationResult:
        """Judge a rewrite, with marks around quoted texts that have lost them."""
        marked = with_marks_restored(task, rewrite)
        verdict = self._judge.judge(task, marked)
        return verdict if marked == rewrite else replace(verdict, repairs=("marks_restored",))

    def _corrected(
        self, task: Task, asked: _Asked, first: Sequence[ValidationResult], accounted: AccountedCall
    ) -> Sequence[ValidationResult]:
        """Ask again, with what was wrong; an upstream that fails now has answered before."""
        if asked.parameters is None or asked.completion is None:
            return []
        wrong = [one for verdict in first for one in verdict.violations]
        parameters = self._instructed.correction(asked.parameters, asked.completion, wrong, task)
        try:
            completion = _complete(accounted, asked.at, parameters)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            logger.info("no corrected prompt", extra={"cause": error.reason})
            return []
        again = _Asked(asked.at, asked.form, parameters, completion)
        verdicts = self._verdicts(task, again)
        if not any(one.is_usable for one in verdicts):
            accounted.call.record_rejection(UNUSABLE)
        return verdicts

    def _mended(
        self,
        task: Task,
        verdicts: Sequence[ValidationResult],
        repaired: Callable[[Task, ValidationResult], ValidationResult],
    ) -> Sequence[ValidationResult]:
        """Repair what is not usable as it is."""
        return [one if one.is_usable else repaired(task, one) for one in verdicts]


def _why_none(task: Task, asked: _Asked) -> Violation:
    """Say why there is no rewrite at all."""
    return (
        _NOT_TRANSLATED if task.is_translated and asked.parameters is None else violation("empty")
    )


def _complete(
    accounted: AccountedCall, at: Destination, parameters: Mapping[str, Any]
) -> Completion:
    completion = accounted.complete(at, ModelRequest(None, parameters))
    if completion.document["choices"][0].get("finish_reason") == "content_filter":
        message = "The model service's content filter refused the prompt."
        raise InvalidRequest(message, reason="content_filtered")
    return completion


def _may_ask_again(asked: _Asked, call: UpstreamCall) -> bool:
    """Tell whether a second call is allowed and can end in time: about as long as the first."""
    if not isinstance(asked.form, InstructedStrategy) or not call.allows_attempt:
        return False
    return call.remaining > call.attempts[-1].seconds


def _best(verdicts: Sequence[ValidationResult]) -> ValidationResult:
    return min(verdicts, key=lambda one: len(one.violations))


def _model_of(asked: _Asked) -> str:
    named = asked.completion.document.get("model") if asked.completion else None
    return named if isinstance(named, str) and named else asked.at.model
