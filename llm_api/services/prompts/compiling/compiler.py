"""Rewrites a prompt for one target model or several: one call for all, and at most one more."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

from llm_api.domain.calls import Completion, Fallback
from llm_api.domain.prompts import STORYBOARD
from llm_api.errors import ApiError
from llm_api.services.prompts.checks.violations import violation_of
from llm_api.services.prompts.compiling.scene_drafts import Draft, SceneDrafter, compiled_text
from llm_api.services.prompts.dialects.dialect_table import is_compiled, rendered_own
from llm_api.services.prompts.rewrite_result import UNUSABLE, RewriteResult
from llm_api.services.prompts.rewriter import (
    Reply,
    Rewriter,
    complete,
    may_ask_again,
    model_of,
)
from llm_api.services.prompts.sight import SHOWN, Sight
from llm_api.services.prompts.storyboards import storyboarder
from llm_api.services.prompts.strategies import reply_parser
from llm_api.services.prompts.strategies.instructions import (
    InstructedStrategy,
    correction,
    is_whole,
)
from llm_api.services.prompts.strategies.scene_instructions import read_answers
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import ValidationResult
from llm_api.services.quotas.estimates import TokenEstimate, estimate_chat
from llm_api.services.routing.catalogue import Destination, call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall
from llm_api.upstream.faults import ClientGone, ShuttingDown

logger = logging.getLogger(__name__)


class Compiler:
    """Rewrites a prompt for its target models.

    One target with prose or tags is rewritten as ever, by a text that the model writes for it. For
    several, and for a form that no model writes, the model plans a scene that code renders.
    """

    def __init__(self, sight: Sight | None = None) -> None:
        """Load the texts for models; `sight` shows the pictures of edits, None shows none."""
        self._rewriter = Rewriter(sight)
        self._drafter = SceneDrafter(self._rewriter)

    @cached_property
    def _storyboarder(self) -> "storyboarder.Storyboarder":
        """What plans shots; loaded with the first storyboard."""
        return storyboarder.Storyboarder()

    def needs(self, tasks: Sequence[Task], destination: Destination) -> TokenEstimate:
        """Estimate the most tokens that tasks take at a destination, all of them together."""
        if tasks[0].request.type == STORYBOARD:
            return self._storyboarder.needs(tasks[0], destination)
        if _is_one_text(tasks) or destination.is_guided:
            return self._rewriter.needs(_leader(tasks), destination)
        parameters = self._rewriter.scenes.parameters(tasks)
        parameters = self._rewriter.sight.shown(tasks[0], parameters, destination)
        return estimate_chat(parameters).twice()

    def rewrite(
        self, tasks: Sequence[Task], destination: Destination, accounted: AccountedCall
    ) -> RewriteResult:
        """Return the result of the first task; it has those of the others.

        Args:
            tasks: the same prompt for each of its target models.
            destination: where to call; its fallbacks are used if it fails.
            accounted: the account of the calls.

        Raises:
            ApiError: no upstream answered the first call, or a content filter refused the prompt.
        """
        if tasks[0].request.type == STORYBOARD:
            return self._storyboarder.plan(tasks[0], destination, accounted)
        if _is_one_text(tasks):
            result = self._rewriter.rewrite(tasks[0], destination, accounted)
            return _compiled(tasks[0], result)
        reply, fallback = call_with_fallbacks(
            destination, accounted.call, partial(self._replied, tasks, accounted)
        )
        if isinstance(reply.strategy, InstructedStrategy):
            results = self._from_scene(tasks, reply, accounted, fallback)
        else:
            results = self._from_choices(tasks, reply, accounted, fallback)
        return replace(results[0], others=tuple(results[1:]))

    def _replied(self, tasks: Sequence[Task], accounted: AccountedCall, at: Destination) -> Reply:
        strategy = self._rewriter.strategy_at(at)
        if not isinstance(strategy, InstructedStrategy):
            return self._rewriter.replied(_leader(tasks), accounted, at)
        parameters = self._rewriter.scenes.parameters(tasks, has_json_mode=at.has_json_mode)
        parameters = self._rewriter.sight.shown(tasks[0], parameters, at)
        return Reply(at, strategy, parameters, complete(accounted, at, parameters))

    def _from_choices(
        self,
        tasks: Sequence[Task],
        reply: Reply,
        accounted: AccountedCall,
        fallback: Fallback | None,
    ) -> list[RewriteResult]:
        """Return what a small model's choices give for each task: the user's words and phrases."""
        results = []
        for task in tasks:
            own = Reply(reply.at, reply.strategy, None, None) if task.is_translated else reply
            result = self._rewriter.result(task, own, accounted, fallback)
            results.append(_compiled(task, result))
        return results

    def _from_scene(
        self,
        tasks: Sequence[Task],
        reply: Reply,
        accounted: AccountedCall,
        fallback: Fallback | None,
    ) -> list[RewriteResult]:
        sight = self._rewriter.sight.of(tasks[0], reply.parameters, reply.completion, reply.at)
        tasks = [task.with_sight(sees_pictures=sight == SHOWN) for task in tasks]
        first = [self._drafts(task, reply.completion) for task in tasks]
        best = [_usable(drafts) for drafts in first]
        again: list[Sequence[Draft]] = [[] for _ in tasks]
        if not all(best) and may_ask_again(reply, accounted.call):
            accounted.call.record_rejection(UNUSABLE)
            completion = self._corrected(tasks, reply, first, accounted)
            again = [self._drafts(task, completion) if completion else [] for task in tasks]
        made = []
        for task, found, early, late in zip(tasks, best, first, again, strict=True):
            draft = found or _usable(late) or self._repaired(task, [*late, *early])
            made.append(self._result(tasks, task, draft, early, reply))
        report = accounted.report(fallback)
        return [replace(result, report=report, sight=sight) for result in made]

    def _drafts(self, task: Task, completion: Completion | None) -> Sequence[Draft]:
        """Return what an answer has for a task, or a draft that says why it is nothing."""
        if completion is None or not is_whole(completion):
            return [_nothing("truncated")]
        document = read_answers(completion) or {}
        known = task.constraints.in_words.get("syntax", ())
        texts = reply_parser.find_prompts(completion.text, known)
        return self._drafter.drafts(task, document, texts[0] if texts else "") or [
            _nothing("empty")
        ]

    def _corrected(
        self,
        tasks: Sequence[Task],
        reply: Reply,
        first: Sequence[Sequence[Draft]],
        accounted: AccountedCall,
    ) -> Completion | None:
        """Call again, with the violations; an upstream that fails now has answered before."""
        if reply.parameters is None or reply.completion is None:
            return None
        wrong = [
            violation
            for drafts in first
            if not _usable(drafts)
            for violation in drafts[0].result.violations
        ]
        parameters = correction(reply.parameters, reply.completion, wrong, tasks[0])
        try:
            return complete(accounted, reply.at, parameters)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            logger.info("no corrected scene", extra={"cause": error.reason})
            return None

    def _repaired(self, task: Task, drafts: Sequence[Draft]) -> Draft | None:
        """Return the first draft that is usable once everything was tried on its text."""
        whole = [draft.result.rewrite for draft in drafts if not draft.is_astray]
        texts = dict.fromkeys(filter(None, whole))
        return _usable([self._drafter.of_text(task, text, is_last=True) for text in texts])

    def _result(
        self,
        tasks: Sequence[Task],
        task: Task,
        draft: Draft | None,
        first: Sequence[Draft],
        reply: Reply,
    ) -> RewriteResult:
        best = draft or min(first, key=lambda one: len(one.result.violations))
        result = RewriteResult(
            rewrites=[],
            improvements=[],
            repairs=best.result.repairs,
            violations=best.result.violations,
            first_violations=first[0].result.violations,
            method=reply.strategy.method,
            version=self._rewriter.scenes.version(tasks),
            model=model_of(reply),
        )
        return result if draft is None else _with_draft(task, result, draft)


def _is_one_text(tasks: Sequence[Task]) -> bool:
    """Whether tasks are answered by texts that the model writes for a single target.

    Several rewrites are texts, and so is one without new details: code cannot vary or order a plan.
    """
    request = tasks[0].request
    if len(tasks) > 1:
        return False
    return not is_compiled(tasks[0]) or request.n > 1 or not request.enhance_details


def _leader(tasks: Sequence[Task]) -> Task:
    """Return the task that a small model is asked for: it cannot translate."""
    return next((task for task in tasks if not task.is_translated), tasks[0])


def _usable(drafts: Sequence[Draft]) -> Draft | None:
    return next((draft for draft in drafts if draft.result.is_usable), None)


def _nothing(code: str) -> Draft:
    return Draft("", ValidationResult("", [violation_of(code)]))


def _with_draft(task: Task, result: RewriteResult, draft: Draft) -> RewriteResult:
    # What the form has no place for was not added, whatever the words had.
    is_same = draft.prompt == rendered_own(task)
    return replace(
        result,
        rewrites=[_finished(task, draft.prompt)],
        improvements=[] if is_same else draft.result.improvements,
        text=(task.source if is_same else draft.result.rewrite) if is_compiled(task) else "",
    )


def _compiled(task: Task, result: RewriteResult) -> RewriteResult:
    """Return the result of a task whose texts code puts into the form of its target."""
    if not is_compiled(task) or not result.rewrites:
        return result
    validated = [
        ValidationResult(text, (), result.improvements, result.repairs) for text in result.rewrites
    ]
    drafts = [compiled_text(task, one) for one in validated]
    usable = [draft for draft in drafts if draft.result.is_usable]
    if not usable:
        return replace(result, rewrites=[], violations=drafts[0].result.violations)
    made = _with_draft(task, result, usable[0])
    return replace(made, rewrites=[_finished(task, draft.prompt) for draft in usable])


def _finished(task: Task, prompt: str) -> str:
    """Return a prompt with the user's flags behind it, where no dialect has placed them."""
    return prompt if is_compiled(task) else task.finished(prompt)
