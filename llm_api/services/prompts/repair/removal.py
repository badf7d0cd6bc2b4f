"""Removes from a rewrite what was added: the part of a sentence that has it, or the sentence."""

import re
from dataclasses import dataclass, replace

from llm_api.services.prompts.checks.additions import SAID_OF_ANIMALS
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.constraints.people import find_people, has_animate
from llm_api.services.prompts.constraints.reading import Reading, Term, read
from llm_api.services.prompts.constraints.spelling import is_meant
from llm_api.services.prompts.repair.sentences import as_text, cut_down, sentences
from llm_api.services.prompts.repair.token_cuts import MANY_TOKENS, read_whole
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.vocabulary.words import little_words

PERSON = "person_added"
COUNT = "count_changed"
REMOVED = frozenset(
    [PERSON, "quote_added", "camera_added", "negation_broken", "noun_added", "wrong_language"]
)
_MAX_RECOUNTED = 20  # sentences; each costs a check of the whole text
_STOPS = str.maketrans("。！？", ".!?")
_OF_PEOPLE = little_words("repair_of_people")


def without_added(task: Task, rewrite: str, codes: frozenset[str]) -> str:
    """Return a rewrite without the parts that were added.

    What describes a removed person is removed, too: his hands, her dress.

    Args:
        task: the prompt and what its rewrite must satisfy.
        rewrite: the text.
        codes: those of its violations.
    """
    unwanted = _Unwanted(task, codes & REMOVED, has_animals=has_animate(read(rewrite)))
    if task.wanted.is_tags:
        return ", ".join(tag for tag in re.split(r",\s*", rewrite) if not unwanted.is_in(tag))
    kept = []
    for sentence in sentences(rewrite):
        if not unwanted.is_in(sentence):
            kept.append(sentence)
            unwanted = unwanted.behind_kept(sentence)
            continue
        unwanted = unwanted.behind_removed(sentence)
        rest = cut_down(sentence, unwanted.is_in)
        if task.language == "en":
            rest = rest[:-1] + rest[-1:].translate(_STOPS)  # the stop of a part in Chinese
        if rest and not unwanted.is_in(rest):
            kept.append(rest)
    return as_text(kept, task.language)


def recounted(task: Task, rewrite: str) -> str:
    """Return a rewrite without the sentence that changes a count, if a single one does."""
    parts = sentences(rewrite)
    if len(parts) > _MAX_RECOUNTED:
        return rewrite
    for at in range(len(parts)):
        rest = as_text([*parts[:at], *parts[at + 1 :]], task.language)
        found = find_violations(task.source, rest, task.wanted, constraints=task.checked)
        if all(violation.code != COUNT for violation in found):
            return rest
    return rewrite


def fitted(task: Task, rewrite: str, codes: frozenset[str]) -> str:
    """Return a rewrite without an end that is cut off or too long."""
    if MANY_TOKENS in codes:
        rewrite = read_whole(task, rewrite)
    if codes.isdisjoint({"too_long", "truncated"}):
        return rewrite
    parts = list(sentences(rewrite))
    if "truncated" in codes:
        parts = parts[:-1]
    limit = task.wanted.max_length or len(rewrite)
    while "too_long" in codes and len(parts) > 1 and len(as_text(parts, task.language)) > limit:
        parts.pop()
    return as_text(parts, task.language)


@dataclass(frozen=True, slots=True)
class _Unwanted:
    """What must be removed.

    `has_left` means that a person was removed before, `has_just_left` that no animal was named
    since.
    """

    task: Task
    codes: frozenset[str]
    has_animals: bool
    has_left: bool = False
    has_just_left: bool = False

    def is_in(self, part: str) -> bool:
        """Whether a part of a text has any of it."""
        if PERSON in self.codes and self._has_person(read(part)):
            return True
        others = self.codes - {PERSON}
        if not others:
            return False
        found = find_violations(
            self.task.source, part, self.task.wanted, constraints=self.task.checked
        )
        return any(violation.code in others for violation in found)

    def behind_removed(self, sentence: str) -> "_Unwanted":
        """Return what is unwanted behind a sentence that has some of it."""
        has_person = PERSON in self.codes and self._has_person(read(sentence))
        has_left = self.has_left or (has_person and not self.task.constraints.has_animate)
        return replace(self, has_left=has_left, has_just_left=self.has_just_left or has_person)

    def behind_kept(self, sentence: str) -> "_Unwanted":
        """Return what is unwanted behind a sentence that stays."""
        has_just_left = self.has_just_left and not has_animate(read(sentence))
        return replace(self, has_just_left=has_just_left)

    def _has_person(self, reading: Reading) -> bool:
        own = self.task.constraints.reading
        if any(
            self._is_person(term) and not is_meant(own, reading.words(term.start, term.end))
            for term in find_people(reading)
        ):
            return True
        if self.has_just_left and any(term.start == 0 for term in reading.of("pronoun")):
            return True  # "A rider leans forward. He holds the reins." speaks of no horse
        return self.has_left and _is_of_people(reading)

    def _is_person(self, term: Term) -> bool:
        if term.kind == "pronoun":
            return self.has_left or not self.has_animals
        return not (self.task.constraints.has_animate and term.concept in SAID_OF_ANIMALS)


def _is_of_people(reading: Reading) -> bool:
    """Whether a part speaks of a person's body, clothes or actions, or of "them"."""
    if not _OF_PEOPLE.isdisjoint(reading.tokens) or bool(reading.of("pronoun")):
        return True
    return any(term.concept == "body" for term in reading.of("peopled"))
