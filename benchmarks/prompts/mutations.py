"""Spoils good rewrites in known ways, to measure what the checker misses."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts import Constraints, find_constraints, find_violations

ENGLISH_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CHINESE_NUMBERS = "零一二三四五六七八九"
SIDES = (
    ("left", "right"),
    ("above", "below"),
    ("on top of", "under"),
    ("in front of", "behind"),
    ("under", "above"),
    ("左", "右"),
    ("前面", "后面"),
    ("下", "上"),
)
CAMERA = {
    "pan_left": (("left", "right"), ("左", "右")),
    "pan_right": (("right", "left"), ("右", "左")),
    "tilt_up": (("up", "down"), ("上", "下")),
    "tilt_down": (("down", "up"), ("下", "上")),
    "zoom_in": (("zooms in", "zooms out"), ("推近", "拉远")),
    "zoom_out": (("zooms out", "zooms in"), ("拉远", "推近")),
    "orbit": (("orbits", "pans left"), ("环绕", "固定")),
    "static": (("static shot", "orbiting shot"), ("固定镜头", "环绕镜头")),
}
OPPOSITES = {
    "pan_left": (" Then the camera pans right.", "随后镜头向右摇。"),
    "pan_right": (" Then the camera pans left.", "随后镜头向左摇。"),
    "tilt_up": (" Then the camera tilts down.", "随后镜头向下摇。"),
    "tilt_down": (" Then the camera tilts up.", "随后镜头向上摇。"),
    "zoom_in": (" Then the camera zooms out.", "随后镜头拉远。"),
    "zoom_out": (" Then the camera zooms in.", "随后镜头推近。"),
    "static": (" Then the camera pans left.", "随后镜头向左摇。"),
}
PEOPLE = (" A young woman in a gray coat stands nearby.", "一位年轻女子站在旁边。")
TRANSLATED = ("画面色调柔和而温暖。", " The light is soft and warm.")
STRANGER = ("widget", "东西")


@dataclass(frozen=True)
class Mutant:
    """A spoilt rewrite, what was done to it, and the violations that give it away."""

    kind: str
    text: str
    codes: frozenset[str]

    def is_caught_by(self, found: Iterable[str]) -> bool:
        """Whether any of the expected violations was found."""
        return not self.codes.isdisjoint(found)


@dataclass(frozen=True)
class Good:
    """A prompt and a good rewrite of it."""

    prompt: str
    rewrite: str
    type: str

    @property
    def constraints(self) -> Constraints:
        """What the rewrite had to keep."""
        return find_constraints(self.prompt)

    @property
    def own(self) -> Constraints:
        """What the rewrite itself says."""
        return find_constraints(self.rewrite)

    def codes(self, rewrite: str | None = None) -> list[str]:
        """Return the codes of the violations in the rewrite or in a spoilt text."""
        text = self.rewrite if rewrite is None else rewrite
        wanted = RewriteRequirements(self.type, self.constraints.language)
        return [found.code for found in find_violations(self.prompt, text, wanted)]

    def pick(self, english: str, chinese: str) -> str:
        """Return what fits the language."""
        return chinese if self.constraints.language == "zh" else english


def mutants(good: Good) -> Iterator[Mutant]:
    """Yield every mutant that a rewrite allows; those that change nothing are left out."""
    for kind, (codes, spoil) in SPOILERS.items():
        for text in spoil(good):
            if text != good.rewrite:
                yield Mutant(kind, text, frozenset(codes.split()))


def without(text: str, words: Iterable[str], instead: str = "") -> str:
    """Return a text in which some words are replaced wherever they stand alone."""
    for word in sorted(set(words), key=len, reverse=True):
        pattern = re.escape(word).replace(r"\ ", r"[\s\-]+")
        if word.isascii():
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, instead, text, flags=re.IGNORECASE)
    return text


def surfaces(text: Constraints, kinds: Iterable[str], concepts: Iterable[str]) -> list[str]:
    """Return the words with which a text names some concepts."""
    reading, wanted = text.reading, set(concepts)
    found = [term for term in reading.of(*kinds) if term.concept in wanted]
    return [reading.words(term.start, term.end) for term in found]


def drop_colors(good: Good) -> Iterator[str]:
    """Remove a color."""
    for color in good.constraints.colors:
        if color.color != "colorful":
            yield without(good.rewrite, surfaces(good.own, ["color"], [color.color]))


def swap_colors(good: Good) -> Iterator[str]:
    """Put another color in."""
    used = {term.concept for term in good.own.reading.of("color")}
    for color in good.constraints.colors:
        if color.color == "colorful" or "purple" in used:
            continue
        words = surfaces(good.own, ["color"], [color.color])
        yield without(good.rewrite, words, good.pick("purple", "紫色"))


def change_counts(good: Good) -> Iterator[str]:
    """Count one more, or one less."""
    for count in good.constraints.counts:
        for value in (count.value + 1, count.value - 1):
            if not 1 < value < 10 or not 1 < count.value < 10:
                continue
            english = without(good.rewrite, [ENGLISH_NUMBERS[count.value]], ENGLISH_NUMBERS[value])
            old = CHINESE_NUMBERS[count.value] if count.value != 2 else "两"
            words = f"(?<![一二三四五六七八九十]){old}(?=[{MEASURES}])"
            yield good.pick(english, re.sub(words, CHINESE_NUMBERS[value], good.rewrite))


MEASURES = "只个位条根艘辆匹朵张把颗列名棵"


def drop_quotes(good: Good) -> Iterator[str]:
    """Lose a quotation with its marks."""
    for quote in good.constraints.quotes:
        yield re.sub(rf"[\"'“‘《「]{re.escape(quote)}[\"'”’》」]", "", good.rewrite)


def change_quotes(good: Good) -> Iterator[str]:
    """Change the last letter of a quotation."""
    for quote in good.constraints.quotes:
        yield good.rewrite.replace(quote, quote[:-1] + good.pick("x", "了"))


def add_quotes(good: Good) -> Iterator[str]:
    """Write a new text into the picture."""
    yield good.rewrite + good.pick(' A sign says "Kelp & Sons".', "墙上写着“海带兄弟”。")


def add_people(good: Good) -> Iterator[str]:
    """Add a person."""
    if not good.constraints.mentions_person:
        yield good.rewrite + good.pick(*PEOPLE)


def change_camera(good: Good) -> Iterator[str]:
    """Move the camera in another way."""
    for move in good.constraints.camera.moves:
        for pair in CAMERA.get(move, ()):
            yield without(good.rewrite, [pair[0]], pair[1])


def add_camera(good: Good) -> Iterator[str]:
    """Move the camera back again."""
    for move in good.constraints.camera.moves:
        if move in OPPOSITES:
            yield good.rewrite + good.pick(*OPPOSITES[move])


def turn_relations(good: Good) -> Iterator[str]:
    """Put a thing on the opposite side of another."""
    for relation in good.constraints.relations:
        for old, new in SIDES:
            is_meant = old in relation.words and (old != "under" or "under" in good.prompt)
            if is_meant and relation.name not in {"beside", "between", "inside", "around"}:
                yield without(good.rewrite, [old], new)
                break


def drop_things(good: Good) -> Iterator[str]:
    """Replace a thing by another thing."""
    kinds = ("object", "animate", "person", "anybody", "pronoun")
    for noun in good.constraints.nouns:
        concepts = set(noun.concepts) | {"he", "she"}
        if noun.kind == "anybody":
            people = good.own.reading.of("anybody", "person", "pronoun")
            concepts |= {term.concept for term in people}
        words = [*surfaces(good.own, kinds, concepts), "their", "them"]
        own = good.constraints.reading.words(noun.start, noun.end)
        yield without(good.rewrite, [*words, own], good.pick(*STRANGER))


def drop_styles(good: Good) -> Iterator[str]:
    """Lose the style."""
    for style in good.constraints.styles:
        words = surfaces(good.own, ["drawn", "look"], [style.concept])
        yield without(good.rewrite, [*words, style.words])


def change_names(good: Good) -> Iterator[str]:
    """Change a name."""
    for name in good.constraints.names:
        yield without(good.rewrite, name.split(), "Zuvembo")


def draw_the_banned(good: Good) -> Iterator[str]:
    """Draw what must not be drawn."""
    for negation in good.constraints.negations:
        english = f" A few {negation.words} can be seen."
        yield good.rewrite + good.pick(english, f"画面里有几个{negation.words}。")


def translate_end(good: Good) -> Iterator[str]:
    """Add a sentence in the other language."""
    yield good.rewrite + good.pick(TRANSLATED[0], TRANSLATED[1] * 3)


def cut_short(good: Good) -> Iterator[str]:
    """Break off in the middle of a sentence."""
    at = good.rewrite.rstrip(".。").rfind(good.pick(" the ", "，"))
    if at > 0:
        yield good.rewrite[: at + len(good.pick(" the", "，"))]


def wrapped(*frames: str) -> Callable[[Good], Iterator[str]]:
    """Return a spoiler that puts something around the prompt."""
    return lambda good: (frame.replace("{}", good.rewrite) for frame in frames)


SPOILERS: Mapping[str, tuple[str, Callable[[Good], Iterator[str]]]] = {
    "color dropped": ("color_lost", drop_colors),
    "color changed": ("color_lost", swap_colors),
    "count changed": ("count_changed", change_counts),
    "quotation dropped": ("quote_lost", drop_quotes),
    "quotation changed": ("quote_lost", change_quotes),
    "quotation added": ("quote_added", add_quotes),
    "person added": ("person_added negation_broken", add_people),
    "camera changed": ("camera_lost camera_added", change_camera),
    "camera move added": ("camera_added", add_camera),
    "position turned round": ("relation_lost", turn_relations),
    "thing dropped": ("object_lost", drop_things),
    "style dropped": ("style_lost", drop_styles),
    "name changed": ("name_lost", change_names),
    "banned thing drawn": ("negation_broken", draw_the_banned),
    "partly translated": ("wrong_language", translate_end),
    "cut short": ("truncated", cut_short),
    "preamble": (
        "preamble",
        wrapped("Sure! Here is the prompt: {}", "好的，以下是优化后的提示词：{}"),
    ),
    "markdown": ("markdown", wrapped("**Prompt**\n\n{}", "# Prompt\n{}", "- {}")),
    "leftovers": ("residue", wrapped('{"optimized_prompt": "{}"}', "<think>Hm.</think>{}")),
    "refusal": (
        "refusal",
        lambda _: iter(["I'm sorry, but I can't help with that.", "抱歉，我无法完成这个请求。"]),
    ),
}
