"""Gets a storyboard from a model: one call, checked and repaired, and at most one more."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from llm_api.domain.calls import Completion, Fallback
from llm_api.errors import ApiError
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.rewrite_result import UNUSABLE, RewriteResult
from llm_api.services.prompts.rewriter import complete
from llm_api.services.prompts.storyboards.script_task import ScriptTask, read_script
from llm_api.services.prompts.storyboards.shot_choices import ShotChoices
from llm_api.services.prompts.storyboards.shot_forms import storyboard_of
from llm_api.services.prompts.storyboards.shot_making import (
    MadeShot,
    ShotMaker,
    is_true_to,
    script_shots,
)
from llm_api.services.prompts.storyboards.shot_replies import ShotDraft, fitted_to, read_shots
from llm_api.services.prompts.storyboards.shot_rules import ShotRules
from llm_api.services.prompts.strategies.guided_decoding import METHOD as GUIDED
from llm_api.services.prompts.strategies.instructions import METHOD as INSTRUCTED
from llm_api.services.prompts.strategies.instructions import correction, is_whole
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import RewriteValidator
from llm_api.services.quotas.estimates import TokenEstimate, estimate_chat
from llm_api.services.routing.catalogue import Destination, call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall
from llm_api.upstream.faults import ClientGone, ShuttingDown

logger = logging.getLogger(__name__)
_NO_SHOTS, _TRUNCATED = "no_shots", "truncated"


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a model was asked and answered; without a call there are no parameters."""

    at: Destination
    parameters: Mapping[str, Any] | None
    completion: Completion | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The shots of one answer, and what was wrong with them; no shots where it has none."""

    made: Sequence[MadeShot]
    repaired: Sequence[str]
    violations: Sequence[Violation]

    @property
    def own_count(self) -> int:
        """How many shots have nothing of the model."""
        return sum(shot.is_own for shot in self.made)

    @property
    def is_usable(self) -> bool:
        """Whether anything of the model is left in it."""
        return self.own_count < len(self.made)


class Storyboarder:
    """Makes storyboards with a model, by the strategy that suits it."""

    def __init__(self) -> None:
        """Load the texts for models."""
        self._rules = ShotRules()
        self._choices = ShotChoices()
        self._maker = ShotMaker(RewriteValidator(self._rules.instructions))

    def needs(self, task: Task, destination: Destination) -> TokenEstimate:
        """Estimate the most tokens that a storyboard takes at a destination.

        A model that follows rules may be called twice.
        """
        parameters = self._parameters(read_script(task), destination)
        if parameters is None:
            return TokenEstimate(0, 0)
        once = estimate_chat(parameters)
        return once if destination.is_guided else once.twice()

    def plan(self, task: Task, destination: Destination, accounted: AccountedCall) -> RewriteResult:
        """Call the model, check, repair, and call once more where that can help.

        Args:
            task: the request for a storyboard.
            destination: where to call; its fallbacks are used if it fails.
            accounted: the account of the calls.

        Raises:
            ApiError: no upstream answered the first call, or a content filter refused the script.
        """
        script = read_script(task)
        reply, fallback = call_with_fallbacks(
            destination, accounted.call, partial(self._replied, script, accounted)
        )
        if reply.at.is_guided:
            plan = first = self._chosen(script, reply)
        else:
            plan, first = self._proposed(script, reply, accounted)
        return self._result(script, reply, plan, first, accounted, fallback)

    def _parameters(self, script: ScriptTask, at: Destination) -> Mapping[str, Any] | None:
        if at.is_guided:
            return self._choices.parameters(script)
        return self._rules.parameters(script, has_json_mode=at.has_json_mode)

    def _replied(self, script: ScriptTask, accounted: AccountedCall, at: Destination) -> _Reply:
        parameters = self._parameters(script, at)
        if parameters is None:
            return _Reply(at, None, None)
        return _Reply(at, parameters, complete(accounted, at, parameters))

    def _chosen(self, script: ScriptTask, reply: _Reply) -> _Plan:
        """Return the script's own sentences with what a small model has chosen for them."""
        phrases = self._choices.phrases(script, reply.completion)
        if not phrases:
            is_cut = reply.completion is not None and not is_whole(reply.completion)
            cannot = "not_translated" if script.task.is_translated else _NO_SHOTS
            return _Plan([], [], [violation_of(_TRUNCATED if is_cut else cannot)])
        made = [
            shot if not words else replace(shot, repaired=shot.repaired[1:])
            for shot, words in zip(script_shots(script, phrases), phrases, strict=True)
        ]
        return _Plan(made, [], [])

    def _proposed(
        self, script: ScriptTask, reply: _Reply, accounted: AccountedCall
    ) -> tuple[_Plan, _Plan]:
        """Return the best plan of a model that follows rules, and the one of its first answer."""
        first = best = self._plan_of(script, reply.completion)
        is_good = first.made and not first.own_count
        if not is_good and accounted.call.allows_correction:
            accounted.call.record_rejection(UNUSABLE)
            later = self._corrected(script, reply, first, accounted)
            if later is not None and later.is_usable:
                is_better = not first.is_usable or later.own_count < first.own_count
                best = later if is_better else first
        return best, first

    def _corrected(
        self, script: ScriptTask, reply: _Reply, first: _Plan, accounted: AccountedCall
    ) -> _Plan | None:
        """Call again, with the violations; an upstream that fails now has answered before."""
        if reply.parameters is None or reply.completion is None:
            return None
        parameters = correction(reply.parameters, reply.completion, first.violations, script.task)
        try:
            completion = complete(accounted, reply.at, parameters)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            logger.info("no corrected storyboard", extra={"cause": error.reason})
            return None
        plan = self._plan_of(script, completion)
        if not plan.is_usable:
            accounted.call.record_rejection(UNUSABLE)
        return plan

    def _plan_of(self, script: ScriptTask, completion: Completion | None) -> _Plan:
        proposed = read_shots(completion)
        drafts = fitted_to(proposed, script.counts) if proposed else []
        if not drafts:
            is_cut = completion is not None and not is_whole(completion)
            return _Plan([], [], [violation_of(_TRUNCATED if is_cut else _NO_SHOTS)])
        made = self._maker.of_drafts(script, drafts)
        wrong = [
            replace(one, instruction=f"Shot {at}: {one.instruction}")
            for at, shot in enumerate(made, 1)
            for one in shot.violations
        ]
        return _Plan(made, _changed(proposed, drafts), wrong)

    def _result(  # each is a part of the outcome
        self,
        script: ScriptTask,
        reply: _Reply,
        plan: _Plan,
        first: _Plan,
        accounted: AccountedCall,
        fallback: Fallback | None,
    ) -> RewriteResult:
        result = RewriteResult(
            rewrites=[],
            improvements=[],
            repairs=[],
            violations=plan.violations or first.violations,
            first_violations=first.violations,
            method=GUIDED if reply.at.is_guided else INSTRUCTED,
            version=self._choices.version if reply.at.is_guided else self._rules.version(script),
            model=_model_of(reply),
            report=accounted.report(fallback),
        )
        if not plan.is_usable or not all(map(is_true_to, plan.made)):
            return result
        board, whole = storyboard_of(script, plan.made, plan.repaired)
        steps = [*board.repaired, *(step for shot in board.shots for step in shot.repaired)]
        added = dict.fromkeys(one for shot in plan.made for one in shot.improvements)
        return replace(
            result,
            rewrites=[whole],
            improvements=list(added),
            repairs=list(dict.fromkeys(steps)),
            violations=[],
            text=" ".join(shot.text for shot in plan.made),
            storyboard=board,
        )


def _changed(proposed: Sequence[ShotDraft], drafts: Sequence[ShotDraft]) -> Sequence[str]:
    if len(proposed) == len(drafts):
        return []
    return ["shots_joined" if len(proposed) > len(drafts) else "shots_divided"]


def _model_of(reply: _Reply) -> str:
    named = reply.completion.document.get("model") if reply.completion else None
    return named if isinstance(named, str) and named else reply.at.model
