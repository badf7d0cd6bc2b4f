"""Rewrites a prompt for an image or video model, with a warning if that fails."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallReport, CallResult
from llm_api.domain.lineage import CONTROL, TREATED, LineageEvent
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest, Target
from llm_api.errors import ApiError, Unavailable, UpstreamFault
from llm_api.services.prompts.constraints.target_syntax import notices_of
from llm_api.services.prompts.details import details
from llm_api.services.prompts.experiment import (
    Experiment,
    is_control,
    lineage_of,
    not_rewritten,
    rewrite_event,
)
from llm_api.services.prompts.keeping.rewrite_keeping import Keeping, KeptRewrites
from llm_api.services.prompts.keeping.rewrite_names import wanted_rewrite
from llm_api.services.prompts.rewriter import Rewriter, RewriteResult, nothing_within
from llm_api.services.prompts.task import Task, read_task
from llm_api.services.prompts.token_limits import token_notices
from llm_api.services.prompts.validation import load_vocabulary
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.faults import ClientGone, ShuttingDown


class PromptOptimizer:
    """Rewrites prompts with the configured model."""

    def __init__(
        self,
        catalogue: Catalogue,
        ledger: UsageLedger,
        targets: Mapping[str, Target],
        experiment: Experiment | None = None,
        *,
        is_enabled: bool,
        kept: KeptRewrites | None = None,
    ) -> None:
        """Create an optimizer.

        Args:
            catalogue: routes calls to upstreams.
            ledger: accounts for calls.
            targets: image and video models by name.
            experiment: records rewrites, and draws those that are not made; None for neither.
            is_enabled: if false, every request is answered with Unavailable.
            kept: the rewrites that the same requests get again; None keeps none.
        """
        self._catalogue = catalogue
        self._ledger = ledger
        self._targets = targets
        self._experiment = experiment or Experiment()
        self._is_enabled = is_enabled
        self._kept = kept or KeptRewrites(Keeping())

    @cached_property
    def _rewriter(self) -> Rewriter:
        """What makes rewrites; its texts are read with the first prompt: 0.6 MiB."""
        return Rewriter()

    @property
    def is_enabled(self) -> bool:
        """Whether it rewrites at all on this service."""
        return self._is_enabled

    def require_enabled(self) -> None:
        """Raise Unavailable where prompts are not rewritten on this service."""
        if not self._is_enabled:
            raise Unavailable(
                "Prompt optimization is switched off on this service.",
                reason="prompt_optimization_disabled",
                retryable=False,
            )

    def needs(
        self, request: PromptRequest, key: ApiKey | None
    ) -> tuple[TokenEstimate, Destination]:
        """Return the most tokens that a rewrite takes, and where it would go; raises ApiError."""
        load_vocabulary()
        task = read_task(request, self._targets[request.target_model])
        destination = self._catalogue.route(None, key=key)
        return self._rewriter.needs(task, destination), destination

    def optimize(self, request: PromptRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """Return the rewritten prompt, or the original with a warning that says why.

        The original is also returned, and no model called, where the lineage is in the control arm.

        Args:
            request: the prompt and how to rewrite it.
            caller: who pays for the call, and how long there is.

        Raises:
            Unavailable: prompt optimization is switched off, or what was pinned is not kept.
            InvalidRequest: the prompt is invisible, or a content filter refused it.
            NotFound: the caller has no such rewrite as it has pinned.
            UpstreamFault: no rewrite is usable and `on_failure` is `error`.
            ApiError: the upstream failed; with `on_failure` `error`, also after `max_wait_ms`.
        """
        self.require_enabled()
        started = time.monotonic()
        load_vocabulary()
        task = read_task(request, self._targets[request.target_model])
        # What was pinned is answered in every arm: it was promised for ever.
        arm = TREATED if request.pin else self._arm_of(caller)
        result = not_rewritten() if arm == CONTROL else self._result(task, caller)
        self._record(partial(rewrite_event, task, result, caller, arm, self._experiment))
        answer = _answer(task, result, arm, seconds=time.monotonic() - started)
        return CallResult(answer, result.report)

    def is_kept(self, request: PromptRequest, caller: Caller) -> bool:
        """Whether a request would be answered without a call; raises ApiError."""
        if request.pin or request.refresh:
            return request.pin is not None
        destination = self._catalogue.route(None, key=caller.key)
        target = self._targets[request.target_model]
        return self._kept.has(wanted_rewrite(request, [target], destination, caller))

    def forget(self, rewrite_id: str, caller: Caller) -> None:
        """Delete a rewrite of a caller that is kept; raises NotFound, or Unavailable."""
        self._kept.delete(rewrite_id, caller)

    def close(self) -> None:
        """Close the connections to where rewrites are kept."""
        self._kept.close()

    def _arm_of(self, caller: Caller) -> str:
        share = self._experiment.control_share
        return CONTROL if share and is_control(lineage_of(caller), share) else TREATED

    def _record(self, make: Callable[[], LineageEvent]) -> None:
        """Have an event recorded, without waiting for it."""
        records = self._experiment.records
        if records is not None:
            records.put(make)
            if not records.thread.is_started:
                records.thread.start()
            records.thread.woken.set()

    def _result(self, task: Task, caller: Caller) -> RewriteResult:
        """Return the rewrite that was pinned, or one within the request's `max_wait_ms`."""
        if task.request.pin is not None:
            return self._kept.pinned(task.request, caller)
        wait_ms = task.request.max_wait_ms
        if wait_ms is not None:
            limit = min(wait_ms / 1000, caller.time_limit or wait_ms)
            caller = replace(caller, time_limit=limit)
        destination = self._catalogue.route(None, key=caller.key)
        wanted = wanted_rewrite(task.request, [task.target], destination, caller)
        make = partial(self._rewritten, task, destination)
        try:
            return self._kept.obtain(wanted, caller, make, asks_anew=task.request.refresh)
        except ApiError as error:
            if wait_ms is None or not _returns_original(task, error):
                raise
            return nothing_within(wait_ms, error.report or CallReport())

    def _rewritten(self, task: Task, destination: Destination, caller: Caller) -> RewriteResult:
        """Have a model called and accounted for; raises ApiError."""
        wanted = partial(self._rewriter.needs, task, destination)
        with self._ledger.account(destination, caller, wanted) as accounted:
            result = self._rewriter.rewrite(task, destination, accounted)
            _require_rewrite(task, result)
        return result


def _require_rewrite(task: Task, result: RewriteResult) -> None:
    """Raise UpstreamFault if there is no usable rewrite and the request wants an error then."""
    if not result.rewrites and task.request.on_failure == "error":
        raise UpstreamFault(
            "The model service wrote no usable prompt.",
            reason="optimizer_bad_output",
            retryable=True,
        )


def _returns_original(task: Task, error: ApiError) -> bool:
    """Whether an error is answered with the original prompt: only one of `max_wait_ms` is."""
    if isinstance(error, ClientGone | ShuttingDown) or task.request.on_failure == "error":
        return False
    return error.report is not None and error.report.client_deadline_passed


def _answer(task: Task, result: RewriteResult, arm: str, *, seconds: float) -> OptimizedPrompt:
    request, rewrites = task.request, result.rewrites
    wants_several = request.n > 1
    return OptimizedPrompt(
        original_prompt=request.prompt,
        optimized_prompt=rewrites[0] if rewrites else request.prompt,
        improvements=result.improvements,
        warnings=_warnings(task, result),
        candidates=(list(rewrites) or [request.prompt]) if wants_several else None,
        negative_prompt=negative_prompt(task) if request.include_negative_prompt else None,
        details=details(task, result, arm, seconds=seconds) if request.include_details else None,
        rewrite_id=result.rewrite_id,
    )


def _warnings(task: Task, result: RewriteResult) -> Sequence[str]:
    """Return sentences on what could not be done as requested."""
    request, warnings = task.request, []
    if not result.rewrites:
        why = result.violations[0].message
        warnings.append(f"The original prompt is returned unchanged. {why}")
    elif len(result.rewrites) < request.n:
        warnings.append(f"{len(result.rewrites)} of {request.n} rewrites were usable.")
    if request.include_negative_prompt and task.target.max_negative is None:
        warnings.append(f"{task.target.name} does not support negative prompts.")
    is_rewritten, has_negative = bool(result.rewrites), request.include_negative_prompt
    if task.fitted.changes:
        warnings += notices_of(
            task.fitted, task.target, is_rewritten=is_rewritten, has_negative=has_negative
        )
    text = result.rewrites[0] if is_rewritten else request.prompt
    return [*warnings, *token_notices(task.tokens, text)]


def negative_prompt(task: Task) -> str:
    """Return the things that the prompt excludes, in its own words; empty if there are none.

    It is not longer than the target model's `max_negative` characters.
    """
    limit = task.target.max_negative
    if limit is None:
        return ""
    comma = "，" if task.constraints.language == "zh" else ", "
    text = ""
    for thing in dict.fromkeys(negation.words for negation in task.constraints.negations):
        longer = f"{text}{comma}{thing}" if text else thing
        if len(longer) > limit:
            break
        text = longer
    return text
