"""The nouns of a closed loop: pictures are made and judged, and again, until one is accepted."""

from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, in millionths of `currency`; None where it is not known, or in several currencies."""

    micro: int | None = 0
    currency: str | None = None

    def plus(self, other: "Amount") -> Self:
        """Return the sum; what is free has no currency."""
        if self.micro == 0:
            return type(self)(other.micro, other.currency)
        if other.micro == 0:
            return self
        is_known = self.micro is not None and other.micro is not None
        if not is_known or self.currency != other.currency:
            return type(self)(None)
        return type(self)((self.micro or 0) + (other.micro or 0), self.currency)

    def times(self, count: int) -> Self:
        """Return so many of them together."""
        return type(self)(None if self.micro is None else self.micro * count, self.currency)

    def fits(self, limit: "Amount") -> bool:
        """Whether it is known to be within a limit of the same currency."""
        if self.micro is None or (self.micro and self.currency != limit.currency):
            return False
        return self.micro <= (limit.micro or 0)


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """How pictures are judged: see `JudgeRequest`; `checkpoints` are the caller's own."""

    checkpoints: tuple[str, ...] = ()
    samples: int = 1
    threshold: float = 60.0
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Which picture is accepted: one whose verdict says that it has passed, unless said otherwise.

    `min_overall` asks for an overall score, `wants_all_checkpoints` that each is known to be
    passed; with both, both count, and the verdict's own word does not. `min_coverage` asks beside
    all that for a share of checkpoints, from 0 to 1, of which somebody can say something.
    """

    min_overall: float | None = None
    wants_all_checkpoints: bool = False
    min_coverage: float | None = None


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What a caller wants of a loop; one try without `until` is judged, and that is all.

    `max_cost` is what all tries together may cost; None: it is not limited.
    """

    judging: JudgingOptions = field(default_factory=JudgingOptions)
    accept: Acceptance = field(default_factory=Acceptance)
    max_tries: int = 1
    max_cost: Amount | None = None
