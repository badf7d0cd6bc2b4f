"""Checks that the rewrite of an edit does with each thing what was asked, and to each the same."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.edit_directions import (
    contrary_words,
    is_replaced,
    replaces,
    sides_exchanged,
    sides_of,
    turned_round,
)
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.nouns import Noun
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.edits.clauses import Clause, clauses_of
from llm_api.services.prompts.edits.content_words import content_of, have_common, target_words
from llm_api.services.prompts.edits.edit_constraints import neutral
from llm_api.services.prompts.edits.operations import FITTING, Act
from llm_api.services.prompts.text import lower, stem, tokens_of
from llm_api.services.prompts.vocabulary.words import little_words

_FILLING = little_words("edits_filling")
_OTHERS = little_words("edits_others")
_PLACES = little_words("edits_places")
_PRONOUNS = little_words("edits_pronouns")
_PEOPLE = frozenset({"person", "anybody"})
_ANYBODY = frozenset({"person", "people"})
_STANDING = frozenset({Act.KEEP, Act.BLEND})
_DOING = frozenset({Act.MAKE, Act.REMOVE})
# What a rewrite may not do alone with what is to be removed or changed.
_CONTRARY = {
    Act.REMOVE: frozenset({Act.MAKE, *_STANDING}),
    Act.MAKE: frozenset({Act.DENY, Act.REMOVE, *_STANDING}),
}
_ALL_ELSE = re.compile(
    r"\b(?:everything|anything|all) else\b|\ball other (?:elements|details|parts|aspects|areas)\b"
    r"|\bthe rest of the (?:image|picture|photo|scene)\b"
    r"|(?:其[他它余]|剩[余下])的?(?:所有|一切)?(?:内容|部分|元素|地方|细节|一切|都|均|保持|不变)"
)
_ADDING = re.compile(
    r"[\s,，]*(?:please )?(?:add|put|insert|draw|place)\b|[^去删移擦]*(?:添加|加上|增加)"
)
_HAN_FILLING = re.compile(
    r"[的和与及或、，。！？：,.\s¶]|其余|其他|其它|部分|所有|全部|任何|请|一切|都|也|完全|图片|画面|照片|不要|原图|原来|一样"
)


def find_changed_acts(comparison: Comparison) -> Iterator[Violation]:
    """Yield what a rewrite does otherwise than asked; both texts are in English or Chinese."""
    before, after = clauses_of(comparison.original), clauses_of(comparison.rewrite)
    if not any(clause.act in _DOING and clause.is_own for clause in after):
        yield violation_of("edit_described")
        return
    acts = _Acts(after)
    if acts.removes_nothing(before):
        yield violation_of("edit_reversed", "remove")
        return
    if acts.only_removes(before):
        yield violation_of("edit_reversed", "add")
    for clause in before:
        yield from acts.contraries(clause, before)
    yield from turned_round(before, after)
    yield from sides_exchanged(before, after)
    if comparison.is_same_language:
        yield from contrary_words(comparison)
        if any(clause.act in _DOING for clause in before):  # not where it only names something
            yield from acts.further(comparison.original)
        for clause in before:
            yield from acts.lost_of(clause, before)


def may_be(noun: Noun, other: Noun) -> bool:
    """Whether two nouns may name the same; people may be called in any way."""
    if noun.may_be(other):
        return True
    is_people = {noun.kind, other.kind} <= _PEOPLE
    return is_people and bool({noun.concept, other.concept} & _ANYBODY)


def _acts_on(noun: Noun, clauses: Iterable[Clause]) -> set[Act]:
    """Return all that is done to a thing; what it is only named beside does not count."""
    return {
        clause.act
        for clause in clauses
        if clause.act is not None and any(may_be(noun, other) for other in clause.targets)
    }


@dataclass(frozen=True, slots=True)
class _Acts:
    """What a rewrite does with what it names."""

    clauses: Sequence[Clause]

    def contraries(self, clause: Clause, before: Sequence[Clause]) -> Iterator[Violation]:
        """Yield what a rewrite does to the things of a clause that has one thing done to each."""
        for noun in clause.targets:
            wanted = _acts_on(noun, before)
            if len(wanted) == 1:
                yield from self.contrary(noun, clause, wanted.pop())

    def contrary(self, noun: Noun, clause: Clause, wanted: Act) -> Iterator[Violation]:
        """Yield that a rewrite does the contrary to a thing of the instruction.

        A thing that it does not name at all is lost, which other checks notice.

        Args:
            noun: the thing.
            clause: the part of the instruction that names it.
            wanted: what that does.
        """
        words = clause.reading.words(noun.start, noun.end)
        naming = [one for one in self.clauses if any(may_be(noun, other) for other in one.nouns)]
        named = {one.act for one in naming}
        whole = clause.text.strip(" ,.，。")
        is_gone = wanted is Act.REMOVE or (wanted is Act.MAKE and is_replaced(noun, clause))
        if is_gone and any(self._is_kept(noun, one) for one in naming):
            yield violation_of("edit_kept", words)
        elif wanted is Act.MAKE and is_gone and naming and not self.puts_in_place_of(noun):
            yield violation_of("edit_reversed", words)
        elif wanted in _DOING and naming and named <= _CONTRARY[wanted]:
            if not (named & _DOING and replaces([clause, *naming])):
                yield violation_of("edit_reversed", words)
        elif wanted is Act.KEEP:
            yield from self._unkept(noun, words, whole, named)
        elif wanted is Act.DENY and named & {Act.MAKE, None}:
            yield violation_of("negation_broken", words)
        elif wanted is Act.DENY and not naming:
            yield violation_of("negation_lost", whole)

    def _unkept(
        self, noun: Noun, words: str, whole: str, named: set[Act | None]
    ) -> Iterator[Violation]:
        """Yield that a thing is not kept: it is changed, or its part of the instruction is lost."""
        if noun.kind in _PEOPLE and self._keeps_pronoun():
            return
        if _acts_on(noun, self.clauses) & _DOING and not named & _STANDING:
            yield violation_of("edit_reversed", words)
        elif not named & {*_STANDING, Act.DENY}:
            yield violation_of("keep_lost", whole)

    def _keeps_pronoun(self) -> bool:
        """Whether something is kept of him or her: "do not change her face"."""
        return any(
            not _PRONOUNS.isdisjoint(tokens_of(lower(one.text)))
            for one in self.clauses
            if one.act in _STANDING
        )

    def further(self, original: str) -> Iterator[Violation]:
        """Yield orders that share no word with an instruction: those for something else."""
        things = read(neutral(original))
        known = things.things() | {term.concept for term in things.of("color")}
        for clause in self.clauses:
            if clause.act not in _DOING or not clause.is_own or not content_of(clause.text):
                continue
            if have_common(clause.text, original):
                continue
            named = clause.things | {term.concept for term in clause.reading.of("color")}
            if not (named & known or FITTING.search(lower(clause.text))):
                yield violation_of("thing_added", clause.text.strip(" ,.，。"))

    def lost_of(self, clause: Clause, before: Sequence[Clause]) -> Iterator[Violation]:
        """Yield what of a part of an instruction is lost, by its words."""
        if clause.is_own and clause.act in _DOING:
            yield from self.undone(clause, before)
        elif clause.is_own and clause.act in {Act.KEEP, Act.DENY}:
            yield from self.lost_words(clause)

    def undone(self, clause: Clause, before: Sequence[Clause]) -> Iterator[Violation]:
        """Yield an order of an instruction of which a rewrite has no word; or that it keeps."""
        own, said = content_of(clause.text), clause.text.strip(" ,.，。")
        colors = {term.concept for term in clause.reading.of("color")}
        every = [one.reading for one in self.clauses]
        named = frozenset().union(*(one.things for one in self.clauses)) | {
            term.concept for reading in every for term in reading.of("color")
        }
        is_said = any(have_common(clause.text, one.text) for one in self.clauses)
        if own and not (is_said or (clause.things | colors) & named):
            yield violation_of("edit_lost", said)
        if clause.act is Act.REMOVE:
            # Of two dogs one may go and the other stay.
            gone = target_words(clause).difference(
                *(target_words(one) for one in before if one.act is Act.KEEP)
            )
            for one in self.clauses:
                if one.act is Act.KEEP and gone & target_words(one) and not _is_of_others(one):
                    yield violation_of("edit_kept", said)
                    return

    def removes_nothing(self, before: Iterable[Clause]) -> bool:
        """Whether an instruction removes something, and its rewrite nothing at all."""
        if not any(one.act is Act.REMOVE and one.is_own for one in before):
            return False
        is_removing = any(one.act is Act.REMOVE for one in self.clauses)
        return not is_removing and not replaces(self.clauses)

    def only_removes(self, before: Iterable[Clause]) -> bool:
        """Whether an instruction adds something, and its rewrite takes away and makes nothing."""
        if not any(one.act is Act.MAKE and _ADDING.match(lower(one.text)) for one in before):
            return False
        doing = {one.act for one in self.clauses if one.act in _DOING}
        return doing == {Act.REMOVE}

    def puts_in_place_of(self, noun: Noun) -> bool:
        """Whether another thing comes in the place of one."""
        for one in self.clauses:
            sides = sides_of(one)
            if one.act is Act.REMOVE and any(may_be(noun, other) for other in one.nouns):
                return True
            if sides is not None and noun.concepts & (sides[0] - sides[1]):
                return True
        return False

    @staticmethod
    def _is_kept(noun: Noun, clause: Clause) -> bool:
        """Whether a thing is kept that was to be removed: not the others of its kind."""
        if clause.act is not Act.KEEP or not any(may_be(noun, one) for one in clause.targets):
            return False
        return not _is_of_others(clause)

    def lost_words(self, clause: Clause) -> Iterator[Violation]:
        """Yield a part of an instruction that keeps or denies what a rewrite does not.

        It is known by its words, of which the vocabulary need not have all.
        """
        staying = [one for one in self.clauses if one.act not in _DOING and one.act is not None]
        doing = [one for one in self.clauses if one.act in _DOING]
        said = clause.text.strip(" ,.，。：:")
        named = " ".join(clause.reading.words(noun.start, noun.end) for noun in clause.nouns)
        for word in _words(clause.bare):
            if word in named:
                continue
            if any(_has(one, word) for one in staying):
                continue
            if any(_has(one, word) for one in doing):
                is_kept = clause.act is Act.KEEP
                yield violation_of("edit_reversed" if is_kept else "negation_broken", word)
            else:
                yield violation_of("keep_lost" if clause.act is Act.KEEP else "negation_lost", said)
            return


def _is_of_others(clause: Clause) -> bool:
    """Whether it is about the others of a kind, and not about a thing and everything else."""
    said = _ALL_ELSE.sub(" ", lower(clause.text))
    return any(word in said for word in _OTHERS)


def _words(bare: str) -> list[str]:
    """Return the words that say what stays, or what must not be there."""
    if bare.isascii() or not any("\u3400" <= sign <= "\u9fff" for sign in bare):
        words = [token for token in tokens_of(bare) if token.isalpha() and len(token) > 2]
        return [word for word in words if word not in _FILLING | _PLACES]
    return [word for word in _HAN_FILLING.sub(" ", bare).split() if len(word) > 1]


def _has(clause: Clause, word: str) -> bool:
    if not word.isascii():
        return word in lower(clause.text)
    root = stem(word)
    return any(stem(token) == root for token in tokens_of(lower(clause.text)))
