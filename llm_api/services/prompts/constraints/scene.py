"""Reads what a prompt says of a scene's layout: which things, how many, in what colors, and where.

Of the same text, `constraints` finds what a rewrite must keep; a scene keeps apart a red ball and a
blue one, takes hints of a place as places, and says which words it has not understood.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace

from llm_api.services.prompts.constraints.camera import find_camera
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.counts import Count, find_counts, is_exact
from llm_api.services.prompts.constraints.nouns import STOPS, Noun, named_nouns
from llm_api.services.prompts.constraints.positions import Position, find_positions
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.constraints.styles import find_styles
from llm_api.services.prompts.constraints.syntax import find_syntax
from llm_api.services.prompts.constraints.writings import Writing, find_writings
from llm_api.services.prompts.vocabulary.words import plural, singular

_MAX_THINGS = 24
_MAX_WORDS = 40
# Words that are read, or told to be left out, by their own modules.
_READ_ELSEWHERE = (
    *("color", "number", "measure", "unit", "negator", "drawn", "look", "relation"),
    *("angle", "shot", "move"),
)
# Parts of Chinese sentences that name nothing.
_HAN_LITTLE = frozenset(
    "的地得在是有和与或及了着过上下里中把被将从向到这那其并且也都还就而以为于个只"
)


_NONE_OF_IT = frozenset({"也没", "都没", "也无", "都无"})  # 一个人也没有
_DATES = frozenset({"moon", "sun"})  # 三月
_PEOPLE = {"两个人": 2, "两人": 2, "三个人": 3, "三人": 3, "四人": 4}


@dataclass(frozen=True, slots=True)
class Thing:
    """Things of one kind: the vocabulary's word, or the prompt's own where it lacks one.

    `is_animate` is set for people and animals. `words` are the prompt's for its name, `counted` and
    `colored` those that state its number and its color beyond doubt; empty where none do.
    """

    name: str
    count: int = 1
    color: str | None = None
    is_animate: bool = False
    words: str = ""
    counted: str = ""
    colored: str = ""

    def __str__(self) -> str:
        """Write it as `3 red cats`."""
        name = self.name if self.count == 1 else plural(self.name)
        return " ".join(filter(None, (str(self.count), self.color, name)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing is: `left`, `right`, `above`, `below`, `in front of` or `behind`.

    `subject` and `reference` are indices of things; without a reference it is a side of the
    picture. `words` are the prompt's for it, such as "on top of"; `source` are these with the
    things. `is_hint` marks a place that is only suggested: a word that says little, of a thing that
    may not be the one that it is said of.
    """

    subject: int
    name: str
    reference: int | None = None
    words: str = field(default="", compare=False)
    source: str = field(default="", compare=False)
    is_hint: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """The layout of a prompt; `not_understood` are words and phrases that say nothing of it."""

    things: tuple[Thing, ...]
    places: tuple[Place, ...]
    writings: tuple[Writing, ...]
    not_understood: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that it shows."""
        return tuple(writing.text for writing in self.writings if writing.is_shown)


def find_scene(prompt: str) -> Scene:
    """Return what a prompt says of a layout."""
    reading = read(prompt)
    builder = _Builder(reading)
    builder.add_nouns(named_nouns(reading))
    builder.add_writings(prompt)
    for position in find_positions(reading, builder.nouns):
        builder.add_position(position)
    builder.leave_out_rest()
    for style in find_styles(reading):
        builder.leave_out(style.words)
    for label in find_camera(reading, is_strict=True).labels():
        builder.leave_out(label)
    for piece in find_syntax(prompt):
        builder.leave_out(piece.text)
    return builder.scene()


class _Builder:
    """Puts a scene together, and remembers which tokens it has understood."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.nouns: list[Noun] = []
        self._things: list[Thing] = []
        self._concepts: list[str] = []
        self._thing_at: dict[int, int] = {}  # indices of things by the first tokens of their nouns
        self._places: list[Place] = []
        self._placed: set[int] = set()
        self._writings: tuple[Writing, ...] = ()
        self._left_out: list[str] = []
        self._of_many_colors: set[int] = set()
        self._known: set[int] = set(reading.denied)
        for term in reading.of(*_READ_ELSEWHERE):
            self._known.update(range(term.start, term.end))

    def add_nouns(self, named: Iterable[Noun]) -> None:
        """Add all things, with their counts and colors."""
        counts = {count.noun.start: count for count in find_counts(self._reading) if count.noun}
        colors: dict[int, ColorOf] = {}
        for color in find_colors(self._reading, with_parts=False):
            is_part = color.at in self._reading.joined  # "red-haired"
            if color.noun is None or color.at in self._reading.denied or is_part:
                continue
            if color.noun.start in colors:
                self._of_many_colors.add(color.noun.start)
            colors.setdefault(color.noun.start, color)
        described = [one.noun for one in counts.values()] + [one.noun for one in colors.values()]
        nouns = {noun.start: noun for noun in [*filter(None, described), *named]}
        for start in sorted(nouns.keys() - self._reading.denied):
            if self._is_named(nouns[start], nouns):
                self._add(nouns[start], counts.get(start), colors.get(start))
        used = {color.at for color in colors.values() if self._has_color(color)}
        self._leave_out_others("color", used)

    def _is_named(self, noun: Noun, nouns: Container[int]) -> bool:
        """Whether a noun is a thing: not "white" of "one white" and "stone" of "stone bridge"."""
        if not noun.is_known and self._reading.at(noun.start):
            return False
        if self._reading.tokens[noun.start].isascii():
            return noun.end not in nouns
        is_date = noun.end - noun.start == 1 and noun.start - 1 in self._reading.counted
        behind = self._reading.words(noun.end, noun.end + 2)
        return behind not in _NONE_OF_IT and not (is_date and noun.concept in _DATES)

    def _has_color(self, color: ColorOf) -> bool:
        index = self._thing_at.get(color.noun.start) if color.noun else None
        return index is not None and self._things[index].color == color.color

    def _add(self, noun: Noun, counted: Count | None, color: ColorOf | None) -> None:
        count = counted.value if counted else None
        self.nouns.append(noun)
        self._known.update(range(noun.start, noun.end))
        # Behind its noun, a color describes a thing that is known: "the cat is black".
        is_before = color is not None and color.at < noun.start
        before = color.color if color is not None and is_before else None
        index = self._known_thing(noun.concept, count, before)
        if index is None:
            if len(self._things) >= _MAX_THINGS:
                self.leave_out(self._reading.words(noun.start, noun.end))
                return
            index = len(self._things)
            self._things.append(self._new_thing(noun, count))
            self._concepts.append(noun.concept)
        thing = self._things[index]
        if counted is not None and is_exact(self._reading, counted):
            thing = replace(thing, counted=counted.words)
        if thing.color is None and color is not None:
            is_doubtful = noun.start in self._of_many_colors or self._is_one_of(noun)
            thing = replace(thing, color=color.color, colored="" if is_doubtful else color.words)
        self._things[index] = thing
        self._thing_at[noun.start] = index

    def _new_thing(self, noun: Noun, count: int | None) -> Thing:
        words = self._reading.words(noun.start, noun.end)
        if words in _PEOPLE:
            people = Thing("person", _PEOPLE[words], is_animate=True)
            return replace(people, words="人", counted=words)
        name = noun.concept if noun.is_known else singular(words)
        is_animate = noun.kind in {"animate", "person", "anybody"}
        if name == words == "people":
            name = "person"
        return Thing(name, count or 1, is_animate=is_animate, words=words)

    def _is_one_of(self, noun: Noun) -> bool:
        """Whether what is said holds for some: "one of the dogs is black"."""
        return list(self._reading.tokens[max(noun.start - 2, 0) : noun.start]) == ["of", "the"]

    def _known_thing(self, concept: str, count: int | None, color: str | None) -> int | None:
        """Return the thing that is meant once more: nothing says that it is another one."""
        for index, thing in enumerate(self._things):
            is_same_count = count is None or count == thing.count
            if self._concepts[index] == concept and is_same_count and color in {None, thing.color}:
                return index
        return None

    def add_position(self, position: Position) -> None:
        """Add where a thing is."""
        if position.start in self._reading.denied or position.start in self._placed:
            return  # "not on the left", and what places a text
        subject = self._thing_at.get(position.subject.start)
        reference = None
        if position.reference is not None:
            reference = self._thing_at.get(position.reference.start)
            if reference is None:
                return
        if subject is not None and subject != reference:
            self._placed.add(position.start)
            self._places.append(self._place(position, subject, reference))

    def _place(self, position: Position, subject: int, reference: int | None) -> Place:
        nouns = [noun for noun in (position.subject, position.reference) if noun is not None]
        start = min(position.start, *(noun.start for noun in nouns))
        end = max(position.end, *(noun.end for noun in nouns))
        words = self._reading.words(position.start, position.end)
        source = self._reading.words(start, end)
        return Place(
            subject, position.name, reference, words, source, is_hint=self._is_hint(position)
        )

    def _is_hint(self, position: Position) -> bool:
        """Whether "on", "at the top" and such may be said of another thing of the sentence."""
        terms = [term for term in self._reading.at(position.start) if term.kind == "relation"]
        if not all(term.is_kind for term in terms if term.concept == position.name):
            return False
        sentences, subject = self._reading.sentence_of, position.subject.start
        return any(
            noun.start < subject and sentences[noun.start] == sentences[subject]
            for noun in self.nouns
            if noun != position.reference
        )

    def add_writings(self, prompt: str) -> None:
        """Add the quoted texts."""
        nouns = {noun.start for noun in self.nouns}
        self._writings = find_writings(prompt, self._reading, nouns)
        for writing in self._writings:
            if writing.place:
                self._placed.add(writing.start)
                self._known.update(range(writing.start, writing.end))

    def leave_out_rest(self) -> None:
        """Leave out styles, and relations that are no places, such as "next to"."""
        self._leave_out_others("relation", self._placed)
        self._leave_out_others("drawn", ())
        self._leave_out_others("look", ())

    def _leave_out_others(self, kind: str, used: Container[int]) -> None:
        for term in self._reading.of(kind):
            is_word = kind != "relation" or not term.is_kind
            if is_word and term.start not in used and term.start not in self._reading.denied:
                self.leave_out(self._reading.words(term.start, term.end))

    def leave_out(self, words: str) -> None:
        """Add words that a layout cannot show."""
        self._left_out.append(words)

    def scene(self) -> Scene:
        """Return what was found."""
        left_out = dict.fromkeys([*self._left_out, *self._unknown_words()])
        things, places = tuple(self._things), tuple(dict.fromkeys(self._places))
        return Scene(things, places, self._writings, tuple(left_out)[:_MAX_WORDS])

    def _unknown_words(self) -> Iterator[str]:
        """Yield the words that nothing has read, Chinese ones in one piece."""
        run = ""
        for at, token in enumerate([*self._reading.tokens, "."]):
            is_han = "\u3400" <= token[0] <= "\u9fff"
            is_known = at in self._known or token in _HAN_LITTLE or token in STOPS
            if is_han and not is_known:
                run += token
                continue
            if run:
                yield run
                run = ""
            if token.isalpha() and not is_known and len(token) > 1:
                yield token
