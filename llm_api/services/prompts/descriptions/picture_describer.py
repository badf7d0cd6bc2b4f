"""Describes a picture as a prompt: one call to a vision model, and at most one corrective call."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from llm_api.domain.calls import Caller, CallReport, CallResult, Completion, ModelRequest
from llm_api.domain.lineage import DESCRIPTION, TREATED, LineageEvent
from llm_api.domain.prompts import DescriptionRequest, OptimizedPrompt, Target
from llm_api.domain.tracing import step
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, UpstreamFault
from llm_api.services.field_names import of_picture
from llm_api.services.pricing import PriceList
from llm_api.services.prompts.descriptions import description_checks
from llm_api.services.prompts.descriptions.description_rules import (
    DescriptionRules,
    description_task,
)
from llm_api.services.prompts.details import details
from llm_api.services.prompts.dialects import dialect_table
from llm_api.services.prompts.experiment import cost_of, lineage_of
from llm_api.services.prompts.rewrite_result import UNUSABLE, RewriteResult
from llm_api.services.prompts.sight import VisionModels
from llm_api.services.prompts.strategies.instructions import METHOD, correction
from llm_api.services.prompts.target_types import require_type
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import ValidationResult
from llm_api.services.quotas.estimates import TokenEstimate, estimate_chat
from llm_api.services.routing.catalogue import Destination, call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall, UsageLedger
from llm_api.upstream.faults import ClientGone, ShuttingDown

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Reply:
    at: Destination
    parameters: Mapping[str, Any]
    completion: Completion


class PictureDescriber:
    """Describes pictures with a vision model."""

    def __init__(
        self,
        models: VisionModels,
        ledger: UsageLedger,
        targets: Mapping[str, Target],
        *,
        record: Callable[[LineageEvent], None] = lambda _: None,
        prices: PriceList | None = None,
    ) -> None:
        """Create a describer; what it needs is read at the first picture.

        Args:
            models: where models are that see.
            ledger: accounts for calls.
            targets: of prompts, by name.
            record: writes a description down in its lineage; raises nothing.
            prices: what models cost; None leaves every cost unknown.
        """
        self._models = models
        self._ledger = ledger
        self._targets = targets
        self._record = record
        self._prices = prices

    @cached_property
    def _rules(self) -> DescriptionRules:
        return DescriptionRules()

    @cached_property
    def _checks(self) -> "description_checks.DescriptionChecks":
        return description_checks.DescriptionChecks(self._rules.instructions)

    def describe(self, request: DescriptionRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """Return the prompt that would make the picture.

        Args:
            request: the picture and what kind of prompt is wanted.
            caller: who pays for the call, and how long there is.

        Raises:
            Unavailable: no vision model is configured.
            InvalidRequest: the target does not make what is wanted.
            ContentFiltered: a content filter refused the picture.
            UpstreamFault: the model wrote no usable prompt.
            ApiError: the upstream failed.
        """
        started = time.monotonic()
        require_type(request.type, request.target_model, self._targets, "target_model")
        task = description_task(request, self._targets[request.target_model])
        destination = self._models.route(request.model, caller.key)
        ask = partial(self._asked, task, request)
        needs = partial(_needs, ask, destination)
        with (
            step(caller, "describe_picture") as asking,
            self._ledger.account(destination, asking, needs) as accounted,
        ):
            answer_of = partial(_replied, accounted, ask)
            reply, fallback = call_with_fallbacks(destination, accounted.call, answer_of)
            first, best = self._read(task, reply, accounted)
        result = self._result(task, first, best, reply, accounted.report(fallback))
        if caller.lineage_id:
            self._record(self._event(task, request, result, caller))
        unseen = self._unseen(request, reply)
        answer = OptimizedPrompt(
            original_prompt="",
            optimized_prompt=result.rewrites[0],
            warnings=[*filter(None, [unseen]), *(one.message for one in best.violations)],
            details=details(task, result, TREATED, seconds=time.monotonic() - started)
            if request.include_details
            else None,
        )
        return CallResult(answer, result.report)

    def _unseen(self, request: DescriptionRequest, reply: _Reply) -> str | None:
        shown = [request.picture]
        return self._models.unseen(reply.parameters, shown, reply.completion, reply.at)

    def _event(
        self, task: Task, request: DescriptionRequest, result: RewriteResult, caller: Caller
    ) -> LineageEvent:
        """Return what the lineage that the caller names has of a description."""
        cost, currency = cost_of(result.report, self._prices)
        facts = {
            "type": request.type,
            "target_model": task.target.name,
            "language": task.language,
            "template_version": result.version,
            "model": result.model,
            "passed": not result.violations,
            "problems": [violation.code for violation in result.violations],
            "picture_id": request.picture.file_id,
            "request_id": caller.request_id,
            "cost_micro": cost,
            "currency": currency,
        }
        return LineageEvent(
            lineage_of(caller),
            DESCRIPTION,
            None if caller.key is None else caller.key.id,
            datetime.now(UTC),
            facts=facts,
            texts={"optimized_prompt": result.rewrites[0]},
        )

    def _asked(self, task: Task, request: DescriptionRequest, at: Destination) -> Mapping[str, Any]:
        """Return the parameters of the call to a model."""
        picture = self._models.part(request.picture, request.detail, at)
        return self._rules.parameters(task, picture, has_json_mode=at.has_json_mode)

    def _read(
        self, task: Task, reply: _Reply, accounted: AccountedCall
    ) -> tuple[ValidationResult, ValidationResult]:
        """Return the first and the best description of a model; raises UpstreamFault."""
        first = best = self._checks.read(task, reply.completion)[0]
        if not first.is_good and accounted.call.allows_correction:
            if not first.is_usable:
                accounted.call.record_rejection(UNUSABLE)
            results = [*self._corrected(task, reply, first, accounted), first]
            best = min(results, key=lambda one: (not one.is_usable, len(one.violations)))
        if not best.is_usable:
            raise UpstreamFault(
                "The vision model wrote no usable prompt: " + best.violations[0].message,
                reason="description_unusable",
                retryable=True,
            )
        return first, best

    def _corrected(
        self, task: Task, reply: _Reply, first: ValidationResult, accounted: AccountedCall
    ) -> Sequence[ValidationResult]:
        """Call again, with the violations; an upstream that fails now has answered before."""
        parameters = correction(reply.parameters, reply.completion, first.violations, task)
        try:
            completion = _complete(accounted, reply.at, parameters)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            logger.info("no corrected description", extra={"cause": error.reason})
            return []
        return self._checks.read(task, completion)

    def _result(
        self,
        task: Task,
        first: ValidationResult,
        best: ValidationResult,
        reply: _Reply,
        report: CallReport,
    ) -> RewriteResult:
        named = reply.completion.document.get("model")
        return RewriteResult(
            rewrites=[dialect_table.rendered_text(task, best.rewrite).prompt],
            improvements=[],
            repairs=best.repairs,
            violations=best.violations,
            first_violations=first.violations,
            method=METHOD,
            version=self._rules.version(task),
            model=named if isinstance(named, str) and named else reply.at.model,
            report=report,
            text=best.rewrite if dialect_table.is_compiled(task) else "",
        )


def _needs(
    ask: Callable[[Destination], Mapping[str, Any]], destination: Destination
) -> TokenEstimate:
    return estimate_chat(ask(destination)).twice()


def _replied(
    accounted: AccountedCall, ask: Callable[[Destination], Mapping[str, Any]], at: Destination
) -> _Reply:
    parameters = ask(at)
    return _Reply(at, parameters, _complete(accounted, at, parameters))


def _complete(
    accounted: AccountedCall, at: Destination, parameters: Mapping[str, Any]
) -> Completion:
    # All but the messages may be left out for a model that does not take it.
    defaults = frozenset(parameters) - {"messages"}
    try:
        completion = accounted.complete(at, ModelRequest(None, parameters, defaults=defaults))
    except InvalidRequest as error:
        if error.reason != "not_supported":
            raise of_picture(error) from error
        # It names the part of a message that the caller has not written.
        message = "must be a model that takes pictures."
        raise InvalidRequest.of_field("model", message, reason="not_supported") from error
    choice = completion.document["choices"][0]
    # `moderation_hit_type` is Ark's: https://www.volcengine.com/docs/82379/1494384
    signs = (choice["message"].get("refusal"), choice.get("moderation_hit_type"))
    if choice.get("finish_reason") == "content_filter" or any(signs):
        refused = ContentFiltered(
            "The vision model's content filter refused the picture.", reason="content_filtered"
        )
        raise refused.replaced(stage="input", what="image")
    return completion
