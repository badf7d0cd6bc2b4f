"""Gets a rewrite from a model: one call, validated, and at most one corrective call."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from llm_api.domain.calls import Completion, Fallback, ModelRequest
from llm_api.errors import ApiError, InvalidRequest
from llm_api.services.field_names import of_prompt
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.flags import find_flags, without_flags
from llm_api.services.prompts.repair import repairer
from llm_api.services.prompts.repair.quotations import with_marks_restored
from llm_api.services.prompts.rewrite_result import UNUSABLE, RewriteResult
from llm_api.services.prompts.sight import SHOWN, Sight
from llm_api.services.prompts.strategies.guided_decoding import GuidedStrategy
from llm_api.services.prompts.strategies.instructions import (
    InstructedStrategy,
    correction,
    is_whole,
)
from llm_api.services.prompts.strategies.scene_instructions import SceneStrategy
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import RewriteValidator, ValidationResult
from llm_api.services.quotas.estimates import TokenEstimate, estimate_chat
from llm_api.services.routing.catalogue import Destination, call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone, ShuttingDown

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply and how it was got; without a call there are no parameters."""

    at: Destination
    strategy: GuidedStrategy | InstructedStrategy
    parameters: Mapping[str, Any] | None
    completion: Completion | None


class Rewriter:
    """Rewrites prompts with a model, by the strategy that suits the model."""

    def __init__(self, sight: Sight | None = None) -> None:
        """Load the strategies' texts; `sight` shows the pictures of edits, None shows none."""
        self.sight = sight or Sight()
        self._instructed = InstructedStrategy()
        self.scenes = SceneStrategy(self._instructed)
        told = [*self._instructed.instructions, *self.scenes.instructions]
        self.validator = RewriteValidator(told)
        self._guided = GuidedStrategy(self.validator)

    @cached_property
    def repairer(self) -> "repairer.Repairer":
        """What repairs texts by code; loaded with the first of them."""
        return repairer.Repairer(self.validator)

    def needs(self, task: Task, destination: Destination) -> TokenEstimate:
        """Estimate the most tokens that a task takes at a destination.

        A model that follows rules may be called twice.
        """
        strategy = self.strategy_at(destination)
        parameters = strategy.parameters(task, has_json_mode=destination.has_json_mode)
        if parameters is None:
            return TokenEstimate(0, 0)
        parameters = self.sight.shown(task, parameters, destination)
        once = estimate_chat(parameters)
        return once if strategy is self._guided else once.twice()

    def strategy_at(self, at: Destination) -> GuidedStrategy | InstructedStrategy:
        """Return the strategy that suits the model at a destination."""
        return self._guided if at.is_guided else self._instructed

    def rewrite(
        self, task: Task, destination: Destination, accounted: AccountedCall
    ) -> RewriteResult:
        """Call the model, validate, repair, and call once more where that can help.

        Args:
            task: the prompt and what its rewrite must satisfy.
            destination: where to call; its fallbacks are used if it fails.
            accounted: the account of the calls.

        Raises:
            ApiError: no upstream answered the first call, or a content filter refused the prompt.
        """
        reply, fallback = call_with_fallbacks(
            destination, accounted.call, partial(self.replied, task, accounted)
        )
        return self.result(task, reply, accounted, fallback)

    def result(
        self, task: Task, reply: Reply, accounted: AccountedCall, fallback: Fallback | None
    ) -> RewriteResult:
        """Return what comes of a reply: validated, repaired, and asked for again where that helps.

        Args:
            task: the prompt and what its rewrite must satisfy.
            reply: the model's first.
            accounted: the account of the calls.
            fallback: that answered instead, if one did.
        """
        call = accounted.call
        sight = self.sight.of(task, reply.parameters, reply.completion, reply.at)
        task = task.with_sight(sees_pictures=sight == SHOWN)
        results = first = self._validated(task, reply)
        repaired = self._repaired(task, results, self.repairer.lightly)
        if not any(result.is_good for result in repaired) and may_ask_again(reply, call):
            call.record_rejection(UNUSABLE)
            corrected = self._corrected(task, reply, results, accounted)
            results = [*corrected, *results]
            repaired = [*self._repaired(task, corrected, self.repairer.lightly), *repaired]
        usable = self._usable(task, repaired)
        if not usable:
            usable = self._usable(task, self._repaired(task, results, self.repairer.thoroughly))
        best = usable[0] if usable else _least_wrong(results)
        return RewriteResult(
            rewrites=_finished(task, usable),
            improvements=best.improvements if usable else [],
            repairs=best.repairs,
            violations=best.violations,
            first_violations=_least_wrong(first).violations,
            method=reply.strategy.method,
            version=reply.strategy.version(task),
            model=model_of(reply),
            report=accounted.report(fallback),
            sight=sight,
        )

    def replied(self, task: Task, accounted: AccountedCall, at: Destination) -> Reply:
        """Return a model's reply to a task; without a call where there is nothing to ask."""
        strategy = self.strategy_at(at)
        parameters = strategy.parameters(task, has_json_mode=at.has_json_mode)
        if parameters is None:
            return Reply(at, strategy, None, None)
        parameters = self.sight.shown(task, parameters, at)
        return Reply(at, strategy, parameters, complete(accounted, at, parameters))

    def _validated(self, task: Task, reply: Reply) -> Sequence[ValidationResult]:
        """Validate the rewrites in a reply."""
        rewrites = [
            text_without_flags(rewrite)
            for rewrite in reply.strategy.rewrites(task, reply.completion)
        ]
        if reply.strategy is self._guided:
            results = [self.validator.validate_composed(task, rewrite) for rewrite in rewrites]
        else:
            results = [self.validated_text(task, rewrite) for rewrite in rewrites]
        return results or [ValidationResult("", [_why_none(task, reply)])]

    def validated_text(self, task: Task, rewrite: str) -> ValidationResult:
        """Validate a rewrite, with marks around quoted texts that have lost them."""
        if not task.constraints.quotes:
            return self.validator.validate(task, rewrite)
        marked = with_marks_restored(task, rewrite)
        result = self.validator.validate(task, marked)
        return result if marked == rewrite else replace(result, repairs=("marks_restored",))

    def _corrected(
        self,
        task: Task,
        reply: Reply,
        first: Sequence[ValidationResult],
        accounted: AccountedCall,
    ) -> Sequence[ValidationResult]:
        """Call again, with the violations; an upstream that fails now has answered before."""
        if reply.parameters is None or reply.completion is None:
            return []
        wrong = [violation for result in first for violation in result.violations]
        parameters = correction(reply.parameters, reply.completion, wrong, task)
        try:
            completion = complete(accounted, reply.at, parameters)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            logger.info("no corrected prompt", extra={"cause": error.reason})
            return []
        again = Reply(reply.at, reply.strategy, parameters, completion)
        results = self._validated(task, again)
        if not any(result.is_usable for result in results):
            accounted.call.record_rejection(UNUSABLE)
        return results

    def _repaired(
        self,
        task: Task,
        results: Sequence[ValidationResult],
        repair: Callable[[Task, ValidationResult], ValidationResult],
    ) -> Sequence[ValidationResult]:
        """Repair what is not usable as it is."""
        return [result if result.is_usable else repair(task, result) for result in results]

    def _usable(
        self, task: Task, results: Sequence[ValidationResult]
    ) -> Sequence[ValidationResult]:
        """Return the usable rewrites, the good first; those for videos say how they are filmed."""
        usable = [result for result in results if result.is_usable]
        if task.wanted.type == "video":
            usable = [self.repairer.framed(task, result) for result in usable]
        return sorted(usable, key=lambda result: not result.is_good)


def _finished(task: Task, usable: Sequence[ValidationResult]) -> Sequence[str]:
    rewrites = list(dict.fromkeys(result.rewrite for result in usable))[: task.request.n]
    # A dialect has a place of its own for flags, or none.
    return rewrites if task.target.dialect else [task.finished(rewrite) for rewrite in rewrites]


def text_without_flags(rewrite: str) -> str:
    """Return a model's text without flags: the prompt's own are put behind it."""
    return without_flags(rewrite, find_flags(rewrite, takes_unknown=False))


def _why_none(task: Task, reply: Reply) -> Violation:
    """Return why there is no rewrite at all."""
    if reply.completion is not None and not is_whole(reply.completion):
        return violation_of("truncated")
    cannot_translate = reply.parameters is None and (task.is_translated or not task.is_read)
    return violation_of("not_translated" if cannot_translate else "empty")


def complete(
    accounted: AccountedCall, at: Destination, parameters: Mapping[str, Any]
) -> Completion:
    """Return a model's completion.

    Raises InvalidRequest if the model or its content filter refused the prompt, in its words.
    """
    # All but the prompt may be left out: a seed, too, is for models that take one.
    defaults = frozenset(parameters) - {"messages"}
    try:
        completion = accounted.complete(at, ModelRequest(None, parameters, defaults=defaults))
    except InvalidRequest as error:
        shows = any(isinstance(one["content"], list) for one in parameters["messages"])
        raise of_prompt(error, pictures="images" if shows else "prompt") from error
    if completion.document["choices"][0].get("finish_reason") == "content_filter":
        message = "The model service's content filter refused the prompt."
        raise InvalidRequest(message, reason="content_filtered")
    return completion


def may_ask_again(reply: Reply, call: UpstreamCall) -> bool:
    """Whether a second call is allowed and can end in time: about as long as the first."""
    return isinstance(reply.strategy, InstructedStrategy) and call.allows_correction


def _least_wrong(results: Sequence[ValidationResult]) -> ValidationResult:
    return min(results, key=lambda result: len(result.violations))


def model_of(reply: Reply) -> str:
    """Return the name of the model that replied: its own, if it gives one."""
    named = reply.completion.document.get("model") if reply.completion else None
    return named if isinstance(named, str) and named else reply.at.model
