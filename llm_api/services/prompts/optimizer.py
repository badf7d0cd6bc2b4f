"""Rewrites a prompt for an image or video model, with a warning if that fails."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallReport, CallResult
from llm_api.domain.lineage import CONTROL, TREATED, LineageEvent
from llm_api.domain.prompts import (
    STORYBOARD,
    OptimizedPrompt,
    PromptRequest,
    Target,
    TargetRewrite,
)
from llm_api.domain.storyboards import Storyboard
from llm_api.domain.tracing import step
from llm_api.errors import ApiError, Unavailable, UpstreamFault
from llm_api.services.prompts.compiling import compiler
from llm_api.services.prompts.details import details
from llm_api.services.prompts.experiment import (
    Experiment,
    is_control,
    lineage_of,
    not_rewritten,
    nothing_within,
    rewrite_event,
)
from llm_api.services.prompts.keeping.rewrite_keeping import (
    NO_SUCH_REWRITE,
    NOT_KEPT,
    PIN_OF_ANOTHER,
    REWRITES_AWAY,
    Keeping,
    KeptRewrites,
)
from llm_api.services.prompts.keeping.rewrite_names import WantedRewrite, wanted_rewrite
from llm_api.services.prompts.negative_prompts import negative_prompt
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.services.prompts.rewrite_warnings import unchanged, warnings_of
from llm_api.services.prompts.sight import Sight, VisionModels
from llm_api.services.prompts.storyboards import storyboard_answers
from llm_api.services.prompts.task import Task, read_tasks
from llm_api.services.prompts.validation import load_vocabulary
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.faults import ClientGone, ShuttingDown

NO_REWRITES = Unavailable(
    "Prompt optimization is switched off on this service.",
    reason="prompt_optimization_disabled",
    retryable=False,
)
NO_REWRITE = UpstreamFault(
    "The model service wrote no usable prompt.", reason="optimizer_bad_output", retryable=True
)
# Of a single rewrite, beside those of its call.
OF_REWRITES = (NO_SUCH_REWRITE, NO_REWRITES, NOT_KEPT, PIN_OF_ANOTHER, REWRITES_AWAY, NO_REWRITE)


class PromptOptimizer:
    """Rewrites prompts with the configured model."""

    def __init__(  # noqa: PLR0913  # each is a part of its own
        self,
        catalogue: Catalogue,
        ledger: UsageLedger,
        targets: Mapping[str, Target],
        experiment: Experiment | None = None,
        *,
        is_enabled: bool,
        kept: KeptRewrites | None = None,
        vision: VisionModels | None = None,
    ) -> None:
        """Create an optimizer.

        Args:
            catalogue: routes calls to upstreams.
            ledger: accounts for calls.
            targets: image and video models by name.
            experiment: records rewrites, and draws those that are not made; None for neither.
            is_enabled: if false, every request is answered with Unavailable.
            kept: the rewrites that the same requests get again; None keeps none.
            vision: models that see the pictures of edits; None: edits are rewritten by their words.
        """
        self._catalogue = catalogue
        self._ledger = ledger
        self._targets = targets
        self._experiment = experiment or Experiment()
        self._is_enabled = is_enabled
        self._kept = kept or KeptRewrites(Keeping())
        self._sight = Sight(vision)

    @cached_property
    def _compiler(self) -> "compiler.Compiler":
        """What makes rewrites; it is loaded, and its texts are read, with the first prompt."""
        return compiler.Compiler(self._sight)

    @property
    def is_enabled(self) -> bool:
        """Whether it rewrites at all on this service."""
        return self._is_enabled

    def require_enabled(self) -> None:
        """Raise Unavailable where prompts are not rewritten on this service."""
        if not self._is_enabled:
            raise NO_REWRITES.replaced()

    def needs(
        self, request: PromptRequest, key: ApiKey | None
    ) -> tuple[TokenEstimate, Destination]:
        """Return the most tokens that a rewrite takes, and where it would go; raises ApiError."""
        load_vocabulary()
        tasks, destination = self._routed(read_tasks(request, self._targets), key)
        return self._compiler.needs(tasks, destination), destination

    def optimize(self, request: PromptRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """Return the rewritten prompt, or the original with a warning that says why.

        The original is also returned, and no model called, where the lineage is in the control arm.

        Args:
            request: the prompt and how to rewrite it.
            caller: who pays for the call, and how long there is.

        Raises:
            Unavailable: prompt optimization is switched off, or what was pinned is not kept.
            InvalidRequest: the prompt is invisible, a target does not make what is wanted, or a
                content filter refused the prompt.
            NotFound: the caller has no such rewrite as it has pinned.
            UpstreamFault: no rewrite is usable and `on_failure` is `error`.
            ApiError: the upstream failed; with `on_failure` `error`, also after `max_wait_ms`.
        """
        self.require_enabled()
        started = time.monotonic()
        load_vocabulary()
        tasks = read_tasks(request, self._targets)
        # What was pinned is answered in every arm: it was promised for ever.
        arm = TREATED if request.pin else self._arm_of(caller)
        result = not_rewritten() if arm == CONTROL else self._result(tasks, caller)
        # A lineage has one rewrite: that for the first target.
        self._record(partial(rewrite_event, tasks[0], result, caller, arm, self._experiment))
        answer = _answers(tasks, result, arm, seconds=time.monotonic() - started)
        return CallResult(answer, result.report)

    def is_kept(self, request: PromptRequest, caller: Caller) -> bool:
        """Whether a request would be answered without a call; raises ApiError."""
        if request.pin or request.refresh:
            return request.pin is not None
        load_vocabulary()
        tasks, destination = self._routed(read_tasks(request, self._targets), caller.key)
        return self._kept.has(_wanted(tasks, destination, caller))

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

    def _result(self, tasks: Sequence[Task], caller: Caller) -> RewriteResult:
        """Return the rewrite that was pinned, or one within the request's `max_wait_ms`."""
        task = tasks[0]
        if task.request.pin is not None:
            return self._kept.pinned(task.request, caller)
        wait_ms = task.request.max_wait_ms
        if wait_ms is not None:
            limit = min(wait_ms / 1000, caller.time_limit or wait_ms)
            caller = replace(caller, time_limit=limit)
        tasks, destination = self._routed(tasks, caller.key)
        wanted = _wanted(tasks, destination, caller)
        make = partial(self._rewritten, tasks, destination)
        try:
            return self._kept.obtain(wanted, caller, make, asks_anew=task.request.refresh)
        except ApiError as error:
            if wait_ms is None or not _returns_original(task, error):
                raise
            return nothing_within(wait_ms, error.report or CallReport())

    def _routed(
        self, tasks: Sequence[Task], key: ApiKey | None
    ) -> tuple[Sequence[Task], Destination]:
        """Return where a call for tasks goes, and the tasks as the model there gets them.

        The pictures of an edit go to the model that sees, where there is one.
        """
        seeing = self._sight.route(tasks[0].request, key)
        if seeing is None:
            return tasks, self._catalogue.route(None, key=key)
        return [task.with_sight(sees_pictures=True) for task in tasks], seeing

    def _rewritten(
        self, tasks: Sequence[Task], destination: Destination, caller: Caller
    ) -> RewriteResult:
        """Have a model called and accounted for; raises ApiError."""
        wanted = partial(self._compiler.needs, tasks, destination)
        with (
            step(caller, "optimize_prompt") as asking,
            self._ledger.account(destination, asking, wanted) as accounted,
        ):
            result = self._compiler.rewrite(tasks, destination, accounted)
            _require_rewrite(tasks[0], result)
        return result


def _wanted(tasks: Sequence[Task], destination: Destination, caller: Caller) -> WantedRewrite:
    targets = [task.target for task in tasks]
    return wanted_rewrite(tasks[0].request, targets, destination, caller)


def _require_rewrite(task: Task, result: RewriteResult) -> None:
    """Raise UpstreamFault if there is no usable rewrite at all and the request wants an error."""
    is_made = any(one.rewrites for one in (result, *result.others))
    if not is_made and task.request.on_failure == "error":
        raise NO_REWRITE.replaced()


def _returns_original(task: Task, error: ApiError) -> bool:
    """Whether an error is answered with the original prompt: only one of `max_wait_ms` is."""
    if isinstance(error, ClientGone | ShuttingDown) or task.request.on_failure == "error":
        return False
    return error.report is not None and error.report.client_deadline_passed


def _answers(
    tasks: Sequence[Task], result: RewriteResult, arm: str, *, seconds: float
) -> OptimizedPrompt:
    """Return the answer for the first task, with an entry for each if several were asked for."""
    answer = _answer(tasks[0], result, arm, seconds=seconds)
    if not tasks[0].request.targets:
        return answer
    # Where there was no rewrite at all, it is the same for all of them.
    others = result.others or [result] * (len(tasks) - 1)
    rest = [
        _answer(task, one, arm, seconds=seconds)
        for task, one in zip(tasks[1:], others, strict=True)
    ]
    return replace(answer, rewrites=list(map(_entry, tasks, [answer, *rest])))


def _answer(task: Task, result: RewriteResult, arm: str, *, seconds: float) -> OptimizedPrompt:
    request, rewrites = task.request, result.rewrites
    wants_several = request.n > 1
    optimized, warnings, storyboard = _said(task, result, arm)
    return OptimizedPrompt(
        original_prompt=request.prompt,
        optimized_prompt=optimized,
        improvements=result.improvements,
        warnings=warnings,
        candidates=(list(rewrites) or [unchanged(task, arm)]) if wants_several else None,
        negative_prompt=negative_prompt(task) if request.include_negative_prompt else None,
        details=details(task, result, arm, seconds=seconds) if request.include_details else None,
        rewrite_id=result.rewrite_id,
        storyboard=storyboard,
    )


def _said(
    task: Task, result: RewriteResult, arm: str
) -> tuple[str, Sequence[str], Storyboard | None]:
    """Return the prompt of an answer, its warnings, and its storyboard if one was asked for."""
    if task.request.type == STORYBOARD:
        return storyboard_answers.answered(task, result)
    optimized = result.rewrites[0] if result.rewrites else unchanged(task, arm)
    return optimized, warnings_of(task, result, arm), None


def _entry(task: Task, answer: OptimizedPrompt) -> TargetRewrite:
    """Return the entry of a target model in an answer for several."""
    return TargetRewrite(
        target_model=task.target.name,
        optimized_prompt=answer.optimized_prompt,
        improvements=answer.improvements,
        warnings=answer.warnings,
        negative_prompt=answer.negative_prompt,
        details=answer.details,
    )
