"""What the task of a loop keeps: all that another process needs to go on with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import orjson

from llm_api.domain.images import ImageRequest
from llm_api.domain.json_values import from_json
from llm_api.domain.judging import Verdict
from llm_api.domain.loops import Amount, LoopPlan
from llm_api.domain.making import Notice
from llm_api.domain.money import decimal_text
from llm_api.domain.prompts import PromptRequest
from llm_api.services.jobs.document import KnownError, Payer

KIND = "loop"
PREFIX = "loop_"
REWRITING, MAKING, JUDGING, DONE = "rewriting", "making", "judging", "done"
ACCEPTED, MAX_TRIES, MAX_COST = "accepted", "max_tries", "max_cost"
DEADLINE, ERROR, CANCELLED = "deadline", "error", "cancelled"
NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A picture of a try; `error` is why it has no verdict."""

    file_id: str
    index: int
    verdict: Verdict | None = None
    error: KnownError | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be judged."""
        return self.verdict is None and self.error is None


@dataclass(frozen=True, slots=True)
class LoopTry:
    """One try: a rewrite, a job that makes its pictures, and their verdicts.

    Attributes:
        number: from 1 on.
        prompt: what the job gets; before a rewrite, what is to be rewritten.
        fed_back: what earlier pictures lacked, in the words of the prompt or of the checkpoint.
        state: `rewriting`, `making`, `judging`, `done`.
        is_begun: whether its job is known to be written down.
        error: why it has no pictures, or no verdicts.
        notices: what the caller must know of it.
        cost: of its steps together.
    """

    number: int
    prompt: str
    fed_back: tuple[str, ...] = ()
    state: str = MAKING
    is_optimized: bool = False
    is_begun: bool = False
    pictures: tuple[JudgedFile, ...] = ()
    error: KnownError | None = None
    notices: tuple[Notice, ...] = ()
    cost: Amount = NOTHING


@dataclass(frozen=True, slots=True)
class LoopDocument:
    """A loop as its task keeps it.

    Attributes:
        request: the caller's; its pictures belong to the loop's task.
        vendor_stops: whether the vendor rewrites no prompt that our optimizer has rewritten.
        optimize: how the caller wants the prompt to be rewritten; None for not at all.
        calls: how many calls of judges and rewriters were begun; each has a usage row of its own.
        waits: how often it was put off, because a limit did not let a step through.
        pending: the most that the step under way can cost; None between steps.
        charged: what counts against the plan's `max_cost`: the cost of each step, and where nobody
            knows it the most that it can be.
        stopped_by: why there is no further try.
        error: of the task, where there is no picture.
        overrun: how many times as much as was reckoned a call for text has cost, at least once.
    """

    request: ImageRequest
    plan: LoopPlan
    payer: Payer
    model: str
    optimize: PromptRequest | None = None
    tries: tuple[LoopTry, ...] = ()
    calls: int = 0
    waits: int = 0
    pending: Amount | None = None
    charged: Amount = NOTHING
    stopped_by: str | None = None
    error: KnownError | None = None
    callback_url: str | None = None
    vendor_stops: bool = False
    overrun: int = 1

    @property
    def current(self) -> LoopTry | None:
        """The try under way."""
        return self.tries[-1] if self.tries and self.tries[-1].state != DONE else None

    @property
    def cost(self) -> Amount:
        """What all tries together have cost."""
        total = NOTHING
        for one in self.tries:
            total = total.plus(one.cost)
        return total

    def with_try(self, **changes: Any) -> Self:
        """Return the document with a changed last try."""
        return replace(self, tries=(*self.tries[:-1], replace(self.tries[-1], **changes)))

    def paid(self, cost: Amount) -> Self:
        """Return the document after a step of the last try, which has cost so much."""
        most = self.pending or NOTHING
        charged = self.charged.plus(most if cost.micro is None else cost)
        paid = self.with_try(cost=self.tries[-1].cost.plus(cost))
        if self._is_dearer(cost, most):
            paid = paid.dearer(cost, most)
        return replace(paid, pending=None, charged=charged)

    def _is_dearer(self, cost: Amount, most: Amount) -> bool:
        """Whether a call for text has cost more than it could: its limit does not hold."""
        if self.plan.max_cost is None or self.tries[-1].state == MAKING:
            return False
        return bool(most.micro) and cost.micro is not None and not cost.fits(most)

    def dearer(self, cost: Amount, most: Amount) -> Self:
        """Return the document of a loop that reckons with more from now on, and says so."""
        times = -(-(cost.micro or 0) * self.overrun // (most.micro or 1))
        message = (
            f"A call has cost {amount_text(cost)}, and could cost {amount_text(most)} by its limit"
            " of tokens, which some models do not hold their thoughts to. Further calls are"
            f" reckoned {times} times as dear."
        )
        notice = Notice("until.max_cost", "adapted", message)
        notices = (*self.tries[-1].notices, notice)
        return replace(self.with_try(notices=notices), overrun=times)

    def to_json(self) -> Mapping[str, Any]:
        """Write it as JSON."""
        return cast("Mapping[str, Any]", orjson.loads(orjson.dumps(self)))

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Read it."""
        return from_json(cls, document)


def amount_text(amount: Amount) -> str:
    """Write an amount that is known, such as `0.25 CNY`."""
    number = decimal_text(amount.micro or 0)
    return f"{number} {amount.currency}" if amount.currency else number


def step_id(loop_id: str, number: int) -> str:
    """Return the id of the job of a try: the same, whichever process begins it."""
    return f"img_{loop_id.removeprefix(PREFIX)}_{number}"


def is_loop(task_id: str) -> bool:
    """Whether an id is of a loop."""
    return task_id.startswith(PREFIX)
