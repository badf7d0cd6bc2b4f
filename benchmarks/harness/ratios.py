"""Ratios of two targets, each taken within a round: what slows the machine down slows both."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.harness.figures import BudgetLine, Figure, figure


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A comparison: a field of one target to that of another, and the most that it may be."""

    name: str
    field: str
    target: str
    reference: str
    limit: float | None = None


def measured(
    wanted: Sequence[Ratio], samples: Sequence[Mapping[str, object]]
) -> Mapping[str, Figure]:
    """Return the ratios of those whose targets are in every round's samples, by their names."""
    return {
        ratio.name: figure([within(ratio, each) for each in samples])
        for ratio in wanted
        if all(ratio.target in each and ratio.reference in each for each in samples)
    }


def within(ratio: Ratio, samples: Mapping[str, object]) -> float:
    """Return a ratio within a round; infinity where the reference is 0, as a CPU time can be."""
    value = float(getattr(samples[ratio.target], ratio.field))
    reference = float(getattr(samples[ratio.reference], ratio.field))
    return value / reference if reference > 0 else float("inf")


def budget(wanted: Sequence[Ratio], figures: Mapping[str, Figure]) -> list[BudgetLine]:
    """Return the limits of the ratios that were measured and have one."""
    return [
        BudgetLine(ratio.name, ratio.limit, figures[ratio.name].median)
        for ratio in wanted
        if ratio.limit is not None and ratio.name in figures
    ]


def ratio_rows(figures: Mapping[str, Figure]) -> list[list[str]]:
    """Return the rows of a table of ratios, its head first."""
    return [["ratio, within each round", "median (min..max)"]] + [
        [name, str(value)] for name, value in figures.items()
    ]
