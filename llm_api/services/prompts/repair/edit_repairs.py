"""Repairs the rewrite of an edit: leaves out parts that add something, and says what stays."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from llm_api.services.prompts.checks.comparison import compare
from llm_api.services.prompts.checks.edit_additions import Asked, added_in
from llm_api.services.prompts.checks.edit_checks import KEEP_MISSING
from llm_api.services.prompts.edits.clauses import Clause, clauses_of
from llm_api.services.prompts.edits.content_words import content_of
from llm_api.services.prompts.edits.keeping_words import keeping_words
from llm_api.services.prompts.edits.operations import CLOSING, EXCEPTING, Act, operation_in
from llm_api.services.prompts.edits.picture_references import references_in
from llm_api.services.prompts.languages.tags import form_of
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import is_ended, lower
from llm_api.services.prompts.validation import ValidationResult

_ADDED = frozenset(
    [
        *("thing_added", "color_added", "count_added", "style_added", "view_added"),
        *("detail_added", "person_added", "edit_kept", "edit_overgrown", "too_long"),
        "picture_added",
    ]
)
_STAYING = frozenset({"keep_lost", "negation_lost"})
EDIT_REPAIRABLE = _ADDED | _STAYING | {KEEP_MISSING, "syntax_lost"}
_LISTING = frozenset({Act.KEEP, Act.DENY, Act.BLEND})
# What is left of a part whose end was left out: "fill the area with".
_DANGLING = re.compile(r"(?:[\s,]+(?:with|and|by|of|into|to|an?|the))+\Z", re.IGNORECASE)
_CONNECTOR = re.compile(
    r"\A[\s,，:：—]*(?:(?:and then|and|but|while|then|so that)\b|同时|然后|但是?|并且?|且|而)?\s*",
    re.IGNORECASE,
)


def without_edit_additions(task: Task, result: ValidationResult) -> str:
    """Return a rewrite without the parts that add something; the same where nothing would stay.

    A list of what stays is left out as a whole: the items need their verb.
    """
    if result.codes.isdisjoint(_ADDED) or not task.is_read:
        return result.rewrite
    comparison = compare(task.source, result.rewrite, task.wanted, task.checked)
    asked, numbers = Asked(comparison), {one.number for one in references_in(task.source)}
    subjects = {one.subject for one in result.violations if one.code == "thing_added"}
    kept = {noun.concept for clause in clauses_of(task.source) for noun in clause.nouns}

    def is_added(clause: Clause) -> bool:
        if any(added_in(clause, asked)) or clause.text.strip(" ,.，。") in subjects:
            return True
        if any(one.number not in numbers for one in references_in(clause.text)):
            return True
        if "edit_kept" in result.codes and clause.act is Act.KEEP:
            return any(noun.concept in kept for noun in clause.targets)
        return clause.act is None and bool(result.codes & {"edit_overgrown", "too_long"})

    sentences = [
        list(_without(list(clauses), is_added))
        for _, clauses in groupby(clauses_of(result.rewrite), key=lambda one: one.sentence)
    ]
    parts = ["".join(clause.text for clause in clauses) for clauses in sentences if clauses]
    text = _joined([_sentence(part, task.language) for part in parts], task.language)
    # What the user has asked for must not go with what was added to it.
    lost = content_of(task.source) & content_of(result.rewrite) - content_of(text)
    return text if text and not (lost and not task.is_translated) else result.rewrite


def with_what_stays(task: Task, result: ValidationResult) -> str:
    """Return a rewrite that says what the user has said to stay, or not to be there."""
    if task.is_translated:
        return result.rewrite
    lost = [one.subject for one in result.violations if one.code in _STAYING]
    sentences = [_sentence(_as_order(words, task.language), task.language) for words in lost]
    return _joined([result.rewrite, *dict.fromkeys(sentences)], task.language)


def with_keep_sentence(task: Task, result: ValidationResult) -> str:
    """Return a rewrite that says that the rest stays, in its own language."""
    words = keeping_words(task.language)
    if KEEP_MISSING not in result.codes or words is None:
        return result.rewrite
    return _joined([_ended(result.rewrite, task.language), words.sentence], task.language)


def _without(clauses: Iterable[Clause], is_added: Callable[[Clause], bool]) -> Iterator[Clause]:
    """Yield the clauses of a sentence but those that add something, and what hangs on them."""
    is_left_out = False
    for group in _groups(clauses):
        hangs_on = not group[0].is_own and group[0].act is not None and is_left_out
        is_left_out = hangs_on or any(map(is_added, group))
        if not is_left_out:
            yield from group


def _groups(clauses: Iterable[Clause]) -> Sequence[Sequence[Clause]]:
    """Return the clauses of a sentence, lists of what stays by the verb that they share."""
    groups: list[list[Clause]] = []
    for clause in clauses:
        behind = groups[-1] if groups else []
        is_list = bool(behind) and clause.act is behind[-1].act and clause.act in _LISTING
        has_verb = any(one.is_own for one in behind)
        is_bound = bool(behind) and EXCEPTING.match(lower(clause.text)) is not None
        if is_bound or (is_list and not (clause.is_own and has_verb and _has_verb(clause))):
            behind.append(clause)
        else:
            groups.append([clause])
    return groups


def _has_verb(clause: Clause) -> bool:
    """Whether it says what it does by more than the word that ends a list: "unchanged"."""
    return operation_in(CLOSING.sub(" ", lower(clause.text)))[0] is not None


def _as_order(words: str, language: str) -> str:
    """Return what stays as an order of its own, with a verb where it has shared one."""
    act, _ = operation_in(lower(words))
    if act is not None:
        return words
    return f"{words}保持不变" if form_of(language) == "zh" else f"Keep {words} unchanged"


def _sentence(text: str, language: str) -> str:
    bare = _CONNECTOR.sub("", text, count=1).strip(" ,，:：—")
    bare = _DANGLING.sub("", bare)
    return _ended(bare[:1].upper() + bare[1:], language)


def _ended(text: str, language: str) -> str:
    text = text.rstrip(" ,，;；")
    return text if is_ended(text) else f"{text}{'。' if form_of(language) == 'zh' else '.'}"


def _joined(parts: Sequence[str], language: str) -> str:
    return ("" if form_of(language) == "zh" else " ").join(part for part in parts if part)
