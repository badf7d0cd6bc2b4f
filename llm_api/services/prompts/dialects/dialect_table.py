"""Knows how a plan or a text is rendered for a target model, and what of it is to be checked."""

from dataclasses import dataclass

from llm_api.domain.prompts import PROSE, TAGS
from llm_api.services.prompts.dialects import timed_sections
from llm_api.services.prompts.dialects.fibo import fibo
from llm_api.services.prompts.dialects.ideogram import ideogram
from llm_api.services.prompts.dialects.midjourney import with_flags, without_flags
from llm_api.services.prompts.dialects.own_words import plan_of_text
from llm_api.services.prompts.dialects.plan import Plan
from llm_api.services.prompts.dialects.plan_wording import prose, tags
from llm_api.services.prompts.task import Task

# Their prompts are what is checked, with the user's syntax in its place.
PLAIN_FORMS = frozenset({PROSE, TAGS, "midjourney"})
_JSON = ("ideogram", "fibo")
_TIMED = {
    "veo": timed_sections.veo,
    "kling": timed_sections.kling,
    "minimax-h3": timed_sections.minimax_h3,
}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A prompt in the form of its target, and the same as plain text, which the checks read."""

    prompt: str
    text: str


def is_compiled(task: Task) -> bool:
    """Whether code puts a task's rewrite into a form that no model writes."""
    return task.target.dialect is not None


def rendered(task: Task, plan: Plan) -> Rendering:
    """Return a plan in the form of a task's target."""
    form, language = task.target.form, task.language
    if form in {TAGS, "midjourney"}:
        text = tags(plan, language)
    else:  # JSON has every thing, whether the summary says it or not
        text = prose(plan, language, has_all_things=form in _JSON)
    return Rendering(_prompt(task, plan, text), text)


def rendered_text(task: Task, text: str) -> Rendering:
    """Return a text, such as a rewrite in prose, in the form of a task's target.

    A text tells nothing of times: it has no sections, and stays as it is where these are all.
    """
    form = task.target.form
    if form == "midjourney":
        prompt = with_flags(text, task.fitted.tail, task.constraints)
        return Rendering(prompt, without_flags(prompt))
    if form in _JSON:
        return Rendering(_prompt(task, plan_of_text(task, text), text), text)
    if form == "minimax-h3":
        return Rendering(_prompt(task, Plan(summary=text), text), text)
    return Rendering(text, text)


def rendered_own(task: Task) -> str:
    """Return the user's own prompt in the form of a task's target, if it reads its language."""
    is_readable = task.constraints.language in task.target.languages
    if not (is_compiled(task) and is_readable):
        return task.request.prompt
    return rendered_text(task, task.prompt).prompt


def _prompt(task: Task, plan: Plan, text: str) -> str:
    form, language = task.target.form, task.language
    if form == "midjourney":
        return with_flags(text, task.fitted.tail, task.constraints)
    if form == "ideogram":
        return ideogram(plan, task.source)
    if form == "fibo":
        return fibo(plan)
    if form in _TIMED:
        seconds = task.request.duration_seconds or task.target.seconds
        return _TIMED[form](plan, language, seconds)
    if form not in {PROSE, TAGS}:
        raise KeyError(form)
    return text
