"""Rewrites a prompt for an image or video model: checked, and honest when it fails."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from llm_api.domain.calls import Caller, CallReport, CallResult
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest, Target
from llm_api.errors import ApiError, Unavailable, UpstreamFault
from llm_api.services.prompts.details import details
from llm_api.services.prompts.negative_prompt import negative_prompt
from llm_api.services.prompts.rewriter import Rewriter, RewriteResult, nothing_within
from llm_api.services.prompts.task import Task, read_task
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.faults import ClientGone, ShuttingDown


class PromptOptimizer:
    """Rewrites prompts with the configured model."""

    def __init__(
        self,
        catalogue: Catalogue,
        ledger: UsageLedger,
        targets: Mapping[str, Target],
        *,
        is_enabled: bool,
    ) -> None:
        """Take what decides where calls go, what accounts for them, and the models that draw."""
        self._catalogue = catalogue
        self._ledger = ledger
        self._targets = targets
        self._is_enabled = is_enabled
        self._rewriter = Rewriter()

    def optimize(self, request: PromptRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """Return the rewritten prompt, or the original with a warning that says why.

        An upstream that fails is an ApiError: the caller must know. One that works and writes
        something unusable costs nothing but the rewrite, and so does one that takes longer than
        `max_wait_ms`; with `on_failure` `error` these are ApiErrors, too.
        """
        if not self._is_enabled:
            raise Unavailable(
                "Prompt optimization is switched off on this service.",
                reason="prompt_optimization_disabled",
                retryable=False,
            )
        began_at = time.monotonic()
        task = read_task(request, self._targets[request.target_model])
        rewriting = self._in_time(task, caller)
        seconds = time.monotonic() - began_at
        return CallResult(_answer(task, rewriting, seconds), rewriting.report)

    def _in_time(self, task: Task, caller: Caller) -> RewriteResult:
        """Do the task in the time that the caller gives it."""
        wait_ms = task.request.max_wait_ms
        if wait_ms is None:
            return self._rewriting(task, caller)
        limit = min(wait_ms / 1000, caller.time_limit or wait_ms)
        try:
            return self._rewriting(task, replace(caller, time_limit=limit))
        except ApiError as error:
            report = error.report or CallReport()
            is_fatal = isinstance(error, ClientGone | ShuttingDown)
            if is_fatal or task.request.on_failure == "error" or not report.client_deadline_passed:
                raise
            return nothing_within(wait_ms, report)

    def _rewriting(self, task: Task, caller: Caller) -> RewriteResult:
        destination = self._catalogue.route(None, key=caller.key)
        wanted = partial(self._rewriter.needs, task, destination)
        with self._ledger.account(destination, caller, wanted) as accounted:
            rewriting = self._rewriter.rewrite(task, destination, accounted)
            if not rewriting.rewrites and task.request.on_failure == "error":
                raise UpstreamFault(
                    "The model service wrote no usable prompt.",
                    reason="optimizer_bad_output",
                    retryable=True,
                )
        return rewriting


def _answer(task: Task, rewriting: RewriteResult, seconds: float) -> OptimizedPrompt:
    request, rewrites = task.request, rewriting.rewrites
    wants_several = request.n > 1
    return OptimizedPrompt(
        original_prompt=request.prompt,
        optimized_prompt=rewrites[0] if rewrites else request.prompt,
        improvements=rewriting.improvements,
        warnings=_warnings(task, rewriting),
        candidates=(list(rewrites) or [request.prompt]) if wants_several else None,
        negative_prompt=negative_prompt(task) if request.include_negative_prompt else None,
        details=details(task, rewriting, seconds) if request.include_details else None,
    )


def _warnings(task: Task, rewriting: RewriteResult) -> Sequence[str]:
    """Say what did not go as it was asked for."""
    request, warnings = task.request, []
    if not rewriting.rewrites:
        why = rewriting.problems[0].message
        warnings.append(f"The original prompt is returned unchanged. {why}")
    elif len(rewriting.rewrites) < request.n:
        warnings.append(f"{len(rewriting.rewrites)} of {request.n} rewrites were usable.")
    if request.include_negative_prompt and task.target.max_negative is None:
        warnings.append(f"{task.target.name} takes no negative prompt.")
    return warnings
