"""A figure over all rounds, its limit, and how both are printed and written."""

import dataclasses
import os
import platform
import statistics
from collections.abc import Sequence
from typing import Any

MISSING = "-"


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure over all rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the median and the range, as the table shows them."""
        return f"{self.median:.3f} ({self.low:.3f}..{self.high:.3f})"


@dataclasses.dataclass(frozen=True)
class BudgetLine:
    """A figure, the most it may be, and what was measured."""

    figure: str
    limit: float
    measured: float

    @property
    def verdict(self) -> str:
        """Return `ok` or `over`."""
        return "ok" if self.measured <= self.limit else "over"


def figure(values: Sequence[float]) -> Figure:
    """Return the median and the range of one figure's values."""
    return Figure(statistics.median(values), min(values), max(values))


def budget_lines(budget: Sequence[BudgetLine]) -> str:
    """Return one line for each budgeted figure."""
    rows = [
        [f"{line.figure} <= {line.limit:g}", f"{line.measured:.2f}", line.verdict]
        for line in budget
    ]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines whose columns start at the same place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def machine() -> dict[str, Any]:
    """Return what a run was measured on."""
    return {"python": platform.python_version(), "cores": os.cpu_count()}


def budget_json(budget: Sequence[BudgetLine]) -> list[dict[str, Any]]:
    """Return a budget ready for json.dump."""
    return [{**dataclasses.asdict(line), "verdict": line.verdict} for line in budget]
