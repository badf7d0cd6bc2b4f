"""Says what is different between two runs, and what was right in the later one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_api.domain.judging import Level
from llm_api.services.anchors.anchor_runs import ALIGNMENT, AnchorRun, Said
from llm_api.services.anchors.anchor_set import Anchor, AnchorSet

# Levels that are right, by whether a picture is what its prompt wants.
_WANTED: Mapping[bool | None, Sequence[str]] = {
    True: (Level.GOOD, Level.EXCELLENT),
    False: (Level.BAD, Level.POOR),
    None: (),
}
_YES_OR_NO = {"passed": "yes", "failed": "no"}
# One word up or down is chance; two are another opinion.
_STEPS = 2


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One verdict: what is known, what was said before and now.

    `is_right` is None where nobody knows what is right; `before` where there is no earlier run.
    """

    anchor: str
    question: str
    known: str
    before: str | None
    now: str
    is_right: bool | None
    has_changed: bool


def compared(anchors: AnchorSet, before: AnchorRun | None, now: AnchorRun) -> list[VerdictLine]:
    """Return all verdicts of a run, beside those of the run before."""
    return [line for anchor in anchors.anchors for line in _lines(anchor, before, now)]


def _lines(anchor: Anchor, before: AnchorRun | None, now: AnchorRun) -> Iterator[VerdictLine]:
    earlier = None if before is None else before.said.get(anchor.id)
    said = now.said[anchor.id]
    for question, is_true in anchor.questions:
        then, answer = (None if s is None else _answer(s, question) for s in (earlier, said))
        known = "yes" if is_true else "no"
        has_changed = then is not None and then != answer
        yield VerdictLine(
            anchor.id, question, known, then, answer or "", answer == known, has_changed
        )
    for name in _dimensions(anchor, said, earlier):
        then, level = (None if s is None else _level(s, name) for s in (earlier, said))
        wanted = _WANTED[anchor.is_aligned if name == ALIGNMENT else None]
        yield VerdictLine(
            anchor.id,
            name,
            "/".join(wanted) or "-",
            then,
            level or "",
            level in wanted if wanted else None,
            then is not None and _is_far(then, level or ""),
        )


def _dimensions(anchor: Anchor, said: Said, earlier: Said | None) -> Sequence[str]:
    if not anchor.has_quality:
        return [ALIGNMENT]
    return list(dict.fromkeys([ALIGNMENT, *said.levels, *(earlier.levels if earlier else ())]))


def _answer(said: Said, question: str) -> str:
    answer = said.answers.get(question, "unknown")
    return said.error or _YES_OR_NO.get(answer, answer)


def _level(said: Said, name: str) -> str:
    return said.error or said.levels.get(name, "none")


def _is_far(before: str, now: str) -> bool:
    """Whether two levels are another opinion; what is no level differs from any that is one."""
    levels = list(Level)
    if before in levels and now in levels:
        return abs(levels.index(Level(before)) - levels.index(Level(now))) >= _STEPS
    return before != now
