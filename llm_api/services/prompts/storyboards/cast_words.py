"""Sees to it that a shot shows its cast as described: word for word, once for each member."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llm_api.domain.storyboards import CastMember
from llm_api.services.prompts.languages.tags import is_dense
from llm_api.services.prompts.repair.sentences import sentences
from llm_api.services.prompts.storyboards.quoted_text import with_quotes_hidden
from llm_api.services.prompts.text import HAN, clean, words_of

# A word goes on here; Chinese and Japanese have no gaps beside a name.
_JOINED = rf"[^\W{HAN}\u3040-\u30ff]"
_POSSESSIVE = re.compile(r"['’]s?\b")
_ONE = re.compile(r"\b(?:he|she|him|his|her|hers)\b|[他她](?!们)", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(?:they|them|their|theirs|both)\b|[他她它]们|两人|二人", re.IGNORECASE)
# A thing is called so, too: only at the beginning it is the animal that was spoken of.
_IT = re.compile(r"\A(?:it|its)\b|\A它(?!们)", re.IGNORECASE)
_PAIR = 2
_SUBJECT = re.compile(r"\A(?:he|she|it)\b\s?|\A[他她它](?!们)", re.IGNORECASE)
# Behind a name: what a model says of a member in its own words.
_ASIDE = re.compile(
    r"\s*(?:\(([^()]{1,400})\)|（([^（）]{1,400})）|,\s*([^,.;!?]{1,300}),|，([^，。；！？]{1,150})，)"
)
# Of an aside's words in the description: it is the same in other words. Less will do for one that
# calls the member something: "an old lady in yellow".
_SAME_SHARE, _CALLED_SHARE = 0.4, 0.2
_CALLED = re.compile(r"\s*(?:an?|the|his|her|their)\s", re.IGNORECASE)
_LITTLE = frozenset(
    re.findall(r"\w+", "a an the of in on with and his her their its who wearing is at 的 着 了 一")
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A member's name in a text, at its place."""

    member: CastMember
    start: int
    end: int


def mentions(text: str, cast: Sequence[CastMember]) -> Sequence[Mention]:
    """Return where a text names members of a cast, from left to right.

    Of names within each other, such as Ann and Ann Lee, the longest counts. A name may stand in
    capitals, as in screenplays; one that is written small is found in any case. Who is only spoken
    of, in quotation marks, is not there.
    """
    if not cast:
        return []
    ordered = tuple(sorted(cast, key=lambda one: -len(one.name)))
    pattern = _pattern(tuple(one.name for one in ordered))
    return [
        Mention(ordered[(found.lastindex or 1) - 1], *found.span())
        for found in pattern.finditer(with_quotes_hidden(text))
    ]


def named_in(text: str, cast: Sequence[CastMember]) -> Sequence[CastMember]:
    """Return the members whom a text names, each once, in the order of their names in it."""
    return list(dict.fromkeys(one.member for one in mentions(text, cast)))


def members_of(parts: Sequence[str], cast: Sequence[CastMember]) -> Sequence[Sequence[CastMember]]:
    """Return who is in each of the parts of a script, in their order.

    Who is only called he or she is the one last named before; they are those last named together,
    or the last two.
    """
    recent: list[CastMember] = []  # the last named is the last
    group: Sequence[CastMember] = ()
    found = []
    for part in parts:
        seen: list[CastMember] = []
        for sentence in sentences(part):
            named = [one.member for one in mentions(sentence, cast)]
            recent = list(dict.fromkeys([*named[::-1], *recent[::-1]]))[::-1]
            group = list(dict.fromkeys(named)) or group
            seen += named
            seen += _meant(sentence, recent, group, is_named=bool(named))
        found.append(list(dict.fromkeys(seen)))
    return found


def _meant(
    sentence: str, recent: Sequence[CastMember], group: Sequence[CastMember], *, is_named: bool
) -> Iterator[CastMember]:
    """Yield who is meant in a sentence beside those that it names."""
    bare = with_quotes_hidden(sentence)
    if _SEVERAL.search(bare):
        yield from group if len(group) > 1 else recent[-_PAIR:]
    elif recent and not is_named and (_ONE.search(bare) or _IT.search(bare)):
        yield recent[-1]


def is_described(text: str, member: CastMember) -> bool:
    """Whether a text has the description of a member, word for word.

    White space, the stop at its end and the form of its signs in Unicode do not count.
    """
    return bare_description(member) in clean(text)


def bare_description(member: CastMember) -> str:
    """Return a description without the stop at its end."""
    return clean(member.description).rstrip(" .,;。，；、")


def with_cast(text: str, members: Sequence[CastMember], language: str) -> tuple[str, Sequence[str]]:
    """Return a shot's text with the description of each member, and the repairs that it took.

    A description stands in brackets behind the first mention of the name, in place of what the
    text says there of the same; in front of the text where it does not name the member. That a
    named member gets its description is no repair: models are told to leave it out.
    """
    repairs, missing = [], [one for one in members if not is_described(text, one)]
    for member in missing:
        bare = _without_paraphrase(text, member)
        repairs += [] if bare == text else ["cast_replaced"]
        text = bare
    # A description may name other members: nothing is put into one.
    taken = [_span(text, one) for one in members if one not in missing]
    ends = {one: _end_of_mention(text, one, taken) for one in missing}
    wide = is_dense(language)
    unnamed = ""
    if list(ends.values()) == [None] and (subject := _SUBJECT.match(text)):
        member, end = missing[0], subject.end()
        gap = "" if wide else " "
        told = _told(member, wide=wide)
        return f"{_at_start(member)}{told}{gap}{text[end:]}", ("cast_named",)
    for member in sorted(missing, key=lambda one: -(ends[one] or 0)):
        told, at = _told(member, wide=wide), ends[member]
        if at is None:
            unnamed += f"{_at_start(member)}{told}{'。' if wide else '. '}"
        else:
            text = f"{text[:at]}{told}{text[at:]}"
    repairs += ["cast_named"] if unnamed else []
    return unnamed + text, tuple(dict.fromkeys(repairs))


def _at_start(member: CastMember) -> str:
    return member.name[:1].upper() + member.name[1:]


def _told(member: CastMember, *, wide: bool) -> str:
    words = bare_description(member)
    return f"（{words}）" if wide else f" ({words})"


def _span(text: str, member: CastMember) -> tuple[int, int]:
    words = bare_description(member)
    start = text.find(words)
    return start, start + len(words)


def _end_of_mention(text: str, member: CastMember, taken: Sequence[tuple[int, int]]) -> int | None:
    """Return where the first mention ends behind which a bracket can stand; None for nowhere."""
    for place in mentions(text, [member]):
        is_free = not any(start <= place.start < end for start, end in taken)
        if is_free and not _POSSESSIVE.match(text, place.end):
            return place.end
    return None


def _without_paraphrase(text: str, member: CastMember) -> str:
    for place in mentions(text, [member]):
        aside = _ASIDE.match(text, place.end)
        if aside is None:
            continue
        said = next(filter(None, aside.groups()))
        if _is_same(said, bare_description(member)):
            gap = "" if aside[0][-1] in "），" else " "
            return f"{text[: place.end]}{gap}{text[aside.end() :].lstrip()}"
    return text


def _is_same(said: str, description: str) -> bool:
    words = set(words_of(said)) - _LITTLE
    shared = words.intersection(words_of(description))
    least = _CALLED_SHARE if _CALLED.match(said) else _SAME_SHARE
    return bool(shared) and len(shared) >= least * len(words)


@functools.lru_cache(maxsize=64)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"({_of_name(name)})" for name in names))


def _of_name(name: str) -> str:
    words = re.escape(name)
    either = f"(?i:{words})" if name == name.lower() else f"(?:{words}|{re.escape(name.upper())})"
    before = f"(?<!{_JOINED})" if re.match(_JOINED, name) else ""
    behind = f"(?!{_JOINED})" if re.match(_JOINED, name[-1]) else ""
    return f"{before}{either}{behind}"
