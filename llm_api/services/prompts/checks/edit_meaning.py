"""Checks that the rewrite of an edit does with each thing what was asked, and to each the same."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.nouns import Noun
from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.edits.clauses import Clause, clauses_of
from llm_api.services.prompts.edits.operations import Act
from llm_api.services.prompts.text import find_quotes, lower, stem, tokens_of
from llm_api.services.prompts.vocabulary.words import little_words

_FILLING = little_words("edits_filling")
_OTHERS = little_words("edits_others")
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
# What stands in the place of another thing may be said to remove that.
_REPLACING = re.compile(
    r"\b(?:replac|swap|switch|exchang|substitut|fill|cover|turn|convert|transform|into)\w*"
    r"|换|替|填|补|变成|变为|改成|改为"
)
_INSTEAD = re.compile(r"\b(?:replac|swap|switch|exchang|substitut)\w*|换成|换为|替换|代替")
# From what stands in front of it to what stands behind.
_TO = re.compile(r"\b(?:with|to|into|for|by)\b|[换改变]成|[换改变]为|替换[成为]|成为")
_TURNED = re.compile(r"\b(?:instead of|rather than|in place of)\b|而不是|[代取]替?代?(?=.)")
_USING = re.compile(r"用(.+?)(?:来)?(?:替换|代替|取代|换掉)(.+)")
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
    for clause in before:
        yield from acts.contraries(clause, before)
        is_said = comparison.is_same_language and clause.is_own
        if is_said and clause.act in {Act.KEEP, Act.DENY}:
            yield from acts.lost_words(clause)
    yield from _turned_round(before, after)


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
        is_gone = wanted is Act.REMOVE or (wanted is Act.MAKE and _is_replaced(noun, clause))
        if is_gone and any(self._is_kept(noun, one) for one in naming):
            yield violation_of("edit_kept", words)
        elif wanted is Act.MAKE and is_gone and naming and not self._replaces(noun):
            yield violation_of("edit_reversed", words)
        elif wanted in _DOING and naming and named <= _CONTRARY[wanted]:
            if not (named & _DOING and _replaces([clause, *naming])):
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

    def removes_nothing(self, before: Iterable[Clause]) -> bool:
        """Whether an instruction removes something, and its rewrite nothing at all."""
        if not any(one.act is Act.REMOVE and one.is_own for one in before):
            return False
        is_removing = any(one.act is Act.REMOVE for one in self.clauses)
        return not is_removing and not _replaces(self.clauses)

    def _replaces(self, noun: Noun) -> bool:
        """Whether another thing comes in the place of one."""
        for one in self.clauses:
            sides = _sides(one)
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
        return not any(word in lower(clause.text) for word in _OTHERS)

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


def _words(bare: str) -> list[str]:
    """Return the words that say what stays, or what must not be there."""
    if bare.isascii() or not any("\u3400" <= sign <= "\u9fff" for sign in bare):
        words = [token for token in tokens_of(bare) if token.isalpha() and len(token) > 2]
        return [word for word in words if word not in _FILLING]
    return [word for word in _HAN_FILLING.sub(" ", bare).split() if len(word) > 1]


def _has(clause: Clause, word: str) -> bool:
    if not word.isascii():
        return word in lower(clause.text)
    root = stem(word)
    return any(stem(token) == root for token in tokens_of(lower(clause.text)))


def _is_replaced(noun: Noun, clause: Clause) -> bool:
    """Whether another thing shall stand in the place of one."""
    sides = _sides(clause)
    return (
        sides is not None
        and bool(noun.concepts & (sides[0] - sides[1]))
        and bool(_INSTEAD.search(lower(clause.text)))
    )


def _replaces(clauses: Iterable[Clause]) -> bool:
    return any(clause.act in _DOING and _REPLACING.search(lower(clause.text)) for clause in clauses)


def _turned_round(before: Sequence[Clause], after: Sequence[Clause]) -> Iterator[Violation]:
    """Yield that what was to become another thing is what that becomes."""
    asked = [sides for clause in before if (sides := _sides(clause)) is not None]
    made = [sides for clause in after if (sides := _sides(clause)) is not None]
    for old, new in asked:
        for one in sorted(old - new):
            for other in sorted(new - old):
                is_turned = any(
                    other in left and one in right and one not in left and other not in right
                    for left, right in made
                )
                if is_turned:
                    yield violation_of("edit_reversed", f"{one} → {other}")
                    return


def _sides(clause: Clause) -> tuple[frozenset[str], frozenset[str]] | None:
    """Return what becomes something else, and what it becomes; None where nothing does."""
    if clause.act is not Act.MAKE:
        return None
    text = lower(clause.text)
    if (using := _USING.search(text)) is not None:
        return _named(using[2]), _named(using[1])
    if (turned := _TURNED.search(text)) is not None:
        return _named(text[turned.end() :]), _named(text[: turned.start()])
    if (to := _TO.search(text)) is None:
        return None
    return _named(text[: to.start()]), _named(text[to.end() :])


def _named(text: str) -> frozenset[str]:
    reading = read(text)
    colors = {term.concept for term in reading.of("color")}
    quotes = {quote.strip(" .,!?").casefold() for quote in find_quotes(text)}
    return frozenset(reading.things() | colors | quotes)
