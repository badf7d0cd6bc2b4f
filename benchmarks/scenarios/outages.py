"""Outages of an upstream: a brown-out, and calls that hang; see `brownout.py` and `hanging.py`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from benchmarks.harness.figures import BudgetLine, budget_json, budget_lines
from benchmarks.scenarios.brownout import (
    CALLS_A_SECOND,
    ILL_SECONDS,
    Brownout,
    brownout_table,
)
from benchmarks.scenarios.hanging import Hanging, hanging_table

CHOICES = ("with", "without", "only")


@dataclasses.dataclass(frozen=True)
class OutageReport:
    """All figures of the outages; the brown-outs by what was wrong with the upstream."""

    brownouts: Mapping[str, Brownout]
    hanging: Hanging

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limits with the figures of this run."""
        lines = [line for name, each in self.brownouts.items() for line in each.budget(name)]
        return lines + self.hanging.budget

    def as_json(self) -> dict[str, Any]:
        """Return all figures with their budget."""
        return {**dataclasses.asdict(self), "budget": budget_json(self.budget)}

    def __str__(self) -> str:
        """Return the tables and the budget."""
        hanging = self.hanging
        return (
            f"brown-outs of {ILL_SECONDS:g} s, calls a second: {CALLS_A_SECOND:g}\n\n"
            f"{brownout_table(self.brownouts)}\n\n"
            f"{hanging.calls} calls hang at another model, rounds: {hanging.rounds}\n\n"
            f"{hanging_table(hanging)}\n\n"
            f"{budget_lines(self.budget)}"
        )
