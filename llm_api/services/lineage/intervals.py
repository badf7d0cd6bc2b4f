"""Intervals of shares that hold however often somebody looks, and whenever they stop.

A usual interval holds for one look at a number of cases that was fixed before. Reports are looked
at every day, until they say something: then it misses the truth far more often than it says. These
are confidence sequences: with the probability of `CONFIDENCE` all of them, after every single case,
have the truth in them.

For a share p, and `hits` of `count` cases, the mixture of likelihoods over a Beta(1/2, 1/2),
divided by the likelihood of p, is a martingale that begins at 1 where p is the truth; by Ville's
inequality it ever reaches 1/alpha with a probability of at most alpha. Sources: H. Robbins,
Statistical methods related to the law of the iterated logarithm, Ann. Math. Statist. 41 (1970);
S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence
sequences, Ann. Statist. 49 (2021), https://arxiv.org/abs/1810.08240. For two arms the product of
both is one, too: R. Turner, P. Grünwald, Exact anytime-valid confidence intervals for contingency
tables and beyond, Statist. Probab. Lett. 198 (2023), https://arxiv.org/abs/2203.09785.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95
_LIMIT = -math.log(1 - CONFIDENCE)
_A = 0.5  # of the mixture: Beta(1/2, 1/2), which is narrow near 0 and 1, too
_STEPS = 50  # of a search that halves what is left


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the truth is: from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """So many hits of so many cases."""

    hits: int
    count: int

    @property
    def rate(self) -> float | None:
        """The share of hits; None without a case."""
        return self.hits / self.count if self.count else None

    def evidence(self, truth: float) -> float:
        """Return the logarithm of the evidence against a truth; it is convex in it."""
        misses = self.count - self.hits
        mixture = _log_beta(self.hits + _A, misses + _A) - _log_beta(_A, _A)
        return mixture - _times_log(self.hits, truth) - _times_log(misses, 1 - truth)

    def slope(self, truth: float) -> float:
        """Return how fast that grows with the truth."""
        misses = self.count - self.hits
        above = misses / (1 - truth) if misses and truth < 1 else math.inf if misses else 0.0
        below = self.hits / truth if self.hits and truth > 0 else math.inf if self.hits else 0.0
        return above - below

    @property
    def interval(self) -> Interval:
        """Where the truth is; from 0 to 1 without a case."""
        if not self.count:
            return Interval(0.0, 1.0)
        middle = self.hits / self.count
        return Interval(
            _edge(self.evidence, middle, 0.0),
            _edge(self.evidence, middle, 1.0),
        )


def difference(first: Share, second: Share) -> Interval:
    """Return where the difference of two truths is, the first less the second."""

    def evidence(gap: float) -> float:
        """Return the least evidence against two truths with this gap."""
        truth = _zero(
            lambda truth: first.slope(truth + gap) + second.slope(truth),
            max(0.0, -gap),
            min(1.0, 1.0 - gap),
        )
        return first.evidence(truth + gap) + second.evidence(truth)

    middle = (first.rate or 0.0) - (second.rate or 0.0)
    return Interval(_edge(evidence, middle, -1.0), _edge(evidence, middle, 1.0))


def _edge(evidence: Callable[[float], float], inside: float, outside: float) -> float:
    """Return the farthest point from `inside` to `outside` that the evidence does not exclude."""
    if evidence(outside) < _LIMIT:
        return outside
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if evidence(middle) < _LIMIT:
            inside = middle
        else:
            outside = middle
    return outside


def _zero(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that grows is 0, or that end which is nearest to it."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if function(middle) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(count: int, truth: float) -> float:
    if not count:
        return 0.0
    return count * math.log(truth) if truth > 0 else -math.inf
