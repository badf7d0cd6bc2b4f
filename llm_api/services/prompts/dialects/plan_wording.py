"""Writes a plan as sentences, or as tags with commas between them."""

from collections.abc import Iterator, Sequence

from llm_api.services.prompts.dialects.plan import Plan, PlannedText, PlannedThing
from llm_api.services.prompts.languages.tags import is_dense
from llm_api.services.prompts.text import is_ended


def prose(
    plan: Plan, language: str, *, with_beats: bool = True, has_all_things: bool = False
) -> str:
    """Return a plan as one paragraph in its `language`; the style is in the first sentence.

    `has_all_things` also tells those again that the summary may have named.
    """
    parts = [_opening(plan, language)]
    # What the summary names already is told again only with something that is new.
    parts += [
        _told(thing, language)
        for thing in plan.things
        if has_all_things or thing.look or thing.where or not plan.summary
    ]
    parts += [_read(text, language) for text in plan.texts if _is_new(text, plan)]
    parts += plan.beats if with_beats else ()
    parts += [plan.setting, plan.light, plan.colors, plan.camera, plan.mood, plan.sound]
    return ("" if is_dense(language) else " ").join(
        sentence(part, language) for part in parts if part
    )


def tags(plan: Plan, language: str) -> str:
    """Return a plan as tags in its `language`: the things first, the style behind them."""
    return ", ".join(dict.fromkeys(filter(None, _tags(plan, language))))


def sentence(piece: str, language: str) -> str:
    """Return a piece as a sentence: with a capital letter, and a stop."""
    stop = "" if is_ended(piece) else ("。" if is_dense(language) else ".")
    return f"{piece[:1].upper()}{piece[1:]}{stop}"


def quoted(text: str, language: str) -> str:
    """Return a text that is to be read within marks that it has not itself."""
    has_straight = '"' in text
    return f"“{text}”" if is_dense(language) or has_straight else f'"{text}"'


def _opening(plan: Plan, language: str) -> str:
    if not plan.style or plan.style.casefold() in plan.summary.casefold():
        return plan.summary
    if not plan.summary:
        return plan.style
    return f"{plan.style}{'：' if is_dense(language) else ': '}{plan.summary}"


def _told(thing: PlannedThing, language: str) -> str:
    comma = "，" if is_dense(language) else ", "
    return comma.join(filter(None, (thing.what, thing.look, thing.where)))


def _read(text: PlannedText, language: str) -> str:
    comma = "，" if is_dense(language) else ", "
    kind = "文字" if is_dense(language) else "the text " if language == "en" else ""
    words = f"{kind}{quoted(text.text, language)}"
    return comma.join(filter(None, (words, text.look, text.where)))


def _is_new(text: PlannedText, plan: Plan) -> bool:
    said = [plan.summary, *(thing.what for thing in plan.things)]
    return bool(text.look or text.where) or not any(text.text in one for one in said)


def _tags(plan: Plan, language: str) -> Iterator[str]:
    if not plan.things:
        yield plan.summary
    for thing in plan.things:
        yield from _phrases((thing.what, thing.look, thing.where))
    for text in plan.texts:
        if not any(text.text in thing.what for thing in plan.things):
            yield _read(text, language)
    yield from _phrases(plan.beats)
    yield from _phrases((plan.setting, plan.light, plan.colors, plan.camera, plan.style, plan.mood))


def _phrases(pieces: Sequence[str]) -> Iterator[str]:
    """Yield pieces as tags; a stop within one would make sentences of them."""
    for piece in pieces:
        yield piece.replace(". ", ", ").rstrip(".")
