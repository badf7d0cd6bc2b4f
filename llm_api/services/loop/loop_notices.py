"""What a caller must know of a loop: what went otherwise than was asked for."""

from collections.abc import Iterator

from llm_api.domain.judging import Outcome, Verdict
from llm_api.domain.making import Notice
from llm_api.services.images import ImageJob
from llm_api.services.loop.choosing import best_first, is_accepted
from llm_api.services.loop.loop_document import JudgedFile, LoopDocument, LoopTry

# An accepted picture of which less than this share could be checked is told of.
_LITTLE = 0.5


def notices_of(
    document: LoopDocument, chosen: LoopTry | None, best: ImageJob | None
) -> tuple[Notice, ...]:
    """Return the notices of a loop: of the job that was chosen, its verdicts, and other tries."""
    found = [] if best is None else list(best.notices)
    for one in document.tries:
        is_chosen = chosen is not None and one.number == chosen.number
        own = [
            notice if is_chosen else _of_try(one.number, notice)
            for notice in one.notices
            if not (is_chosen and notice in found)
        ]
        found += own
    if chosen is not None:
        found += [notice for one in chosen.pictures for notice in _of_verdict(one)]
        found += _of_acceptance(document, chosen)
    return tuple(dict.fromkeys(found))


def _of_try(number: int, notice: Notice) -> Notice:
    return Notice(notice.field, notice.code, f"Try {number}: {notice.message}")


def _of_verdict(one: JudgedFile) -> Iterator[Notice]:
    """Yield why a picture was not judged, and what is to be known of its verdict."""
    if one.error is not None:
        yield Notice("judge", "dropped", f"Picture {one.index} was not judged: {one.error.message}")
    if one.verdict is not None:
        code = "dropped" if one.verdict.may_be_unseen else "adapted"
        for warning in one.verdict.warnings:
            yield Notice("judge", code, f"Picture {one.index}: {warning}")


def _of_acceptance(document: LoopDocument, chosen: LoopTry) -> Iterator[Notice]:
    """Yield of how little of the prompt a picture was accepted."""
    picture = best_first(chosen.pictures, document.plan.accept)[0]
    verdict = picture.verdict
    if (
        document.plan.max_tries == 1
        or document.plan.accept.min_coverage is not None
        or verdict is None
        or not is_accepted(verdict, document.plan.accept)
    ):
        return
    if verdict.coverage is not None and verdict.coverage < _LITTLE:
        message = (
            f"Picture {picture.index} was accepted, though only {_known(verdict)} of"
            f" {len(verdict.checkpoints)} checkpoints could be checked; accept.min_coverage asks"
            " for more."
        )
        yield Notice("until.accept", "adapted", message)


def _known(verdict: Verdict) -> int:
    return sum(one.outcome is not Outcome.UNKNOWN for one in verdict.checkpoints)
