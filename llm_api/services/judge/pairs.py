"""Compares pictures in pairs, and ranks them by a tournament.

Models prefer the first of two pictures, or the last: each pair is asked in both orders, and where
the answers disagree it is a tie. The form is FastChat's (https://github.com/lm-sys/FastChat,
`llm_judge`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from llm_api.domain.judging import Comparison, JudgedPicture, JudgeRequest, Ranking
from llm_api.runtime.turns import LARGE_WORK
from llm_api.services.judge.asking import Hearing, unreadable
from llm_api.services.judge.questions import pair_question
from llm_api.services.judge.readings import Preference
from llm_api.services.judge.rubric import Rubric
from llm_api.services.judge.verdicts import confidence_of

_TIE = 0.5


@dataclass(frozen=True, slots=True)
class _Duel:
    """How a pair has met: `votes` are 0 or 1 for its places, or None, two for each sample."""

    votes: tuple[int | None, ...]
    evidence: tuple[str | None, ...]
    warnings: tuple[str, ...]

    @property
    def winner(self) -> int | None:
        """Who has won in more of the samples, in each of which both orders must agree."""
        by_sample = zip(self.votes[::2], self.votes[1::2], strict=True)
        won = [one for one, other in by_sample if one == other and one is not None]
        if won.count(0) == won.count(1):
            return None
        return 0 if won.count(0) > won.count(1) else 1

    @property
    def is_consistent(self) -> bool:
        """Whether all votes are the same."""
        return len(set(self.votes)) == 1


def compared(hearing: Hearing, rubric: Rubric, request: JudgeRequest) -> Comparison:
    """Compare the two pictures of a request; raises ApiError."""
    duel = _met(hearing, rubric, request, request.pictures)
    cost, currency = hearing.cost
    # Of the calls in the order of the request alone: in the others "first" is the second.
    said = zip(duel.votes[::2], duel.evidence[::2], strict=True)
    agreeing = [evidence for vote, evidence in said if vote == duel.winner]
    return Comparison(
        winner=duel.winner,
        votes=duel.votes,
        is_consistent=duel.is_consistent,
        confidence=_confidence([duel]),
        samples_used=request.samples,
        summary=next(iter(agreeing), None) if request.includes_reasoning else None,
        model=hearing.model,
        rubric_version=rubric.version,
        rubric_language=rubric.language,
        warnings=duel.warnings,
        cost_micro=cost,
        currency=currency,
    )


def ranked(hearing: Hearing, rubric: Rubric, request: JudgeRequest) -> Ranking:
    """Rank the pictures of a request: each meets each other; raises ApiError.

    They meet in an order that their contents decide, so that the place of a picture in the request
    has no part in it.
    """
    pictures = request.pictures
    shuffled = sorted(range(len(pictures)), key=lambda place: _mark(pictures[place]))
    wins = [0.0] * len(pictures)
    duels: list[_Duel] = []
    for first, second in combinations(shuffled, 2):
        duel = _met(hearing, rubric, request, (pictures[first], pictures[second]))
        duels.append(duel)
        shares = (_TIE, _TIE) if duel.winner is None else (1.0 - duel.winner, float(duel.winner))
        wins[first] += shares[0]
        wins[second] += shares[1]
    cost, currency = hearing.cost
    return Ranking(
        ranking=tuple(sorted(shuffled, key=lambda place: -wins[place])),
        wins=tuple(wins),
        is_consistent=all(duel.is_consistent for duel in duels),
        confidence=_confidence(duels),
        samples_used=request.samples,
        model=hearing.model,
        rubric_version=rubric.version,
        rubric_language=rubric.language,
        warnings=tuple(dict.fromkeys(warning for duel in duels for warning in duel.warnings)),
        cost_micro=cost,
        currency=currency,
    )


def _met(
    hearing: Hearing, rubric: Rubric, request: JudgeRequest, pair: Sequence[JudgedPicture]
) -> _Duel:
    """Ask for a pair in both orders, once a sample."""
    votes: list[int | None] = []
    evidence, warnings = [], []
    for _ in range(request.samples):
        for is_swapped in (False, True):
            shown = tuple(reversed(pair)) if is_swapped else pair
            reply = hearing.ask(pair_question(rubric, request, shown))
            if reply.said is None:
                raise unreadable(hearing.report)
            votes.append(_vote(reply.said, is_swapped=is_swapped))
            evidence.append(reply.said.evidence)
            warnings += [] if reply.warning is None else [reply.warning]
    return _Duel(tuple(votes), tuple(evidence), tuple(dict.fromkeys(warnings)))


def _vote(said: Preference, *, is_swapped: bool) -> int | None:
    if said.choice is None:
        return None
    return 1 - said.choice if is_swapped else said.choice


def _mark(picture: JudgedPicture) -> bytes:
    """Return what decides the order: nobody can foresee it, and it is the same in each request."""
    LARGE_WORK.wait()
    return hashlib.sha256(picture.data).digest()


def _confidence(duels: Sequence[_Duel]) -> str | None:
    """Return how sure a judge is of pairs; None where a picture may not have been seen."""
    if any(duel.warnings for duel in duels):
        return None
    agreeing = sum(duel.is_consistent for duel in duels)
    return confidence_of(0, agreeing / len(duels))
