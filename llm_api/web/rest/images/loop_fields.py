"""How pictures are judged, and until when they are made again: fields of a request for pictures."""

from decimal import Decimal
from typing import Any

import marshmallow as ma

from llm_api.domain.loops import Acceptance, Amount, JudgingOptions, LoopPlan
from llm_api.domain.money import MICRO
from llm_api.web.rest.judge.schemas import MAX_CHECKPOINT_CHARS, MAX_CHECKPOINTS
from llm_api.web.schema_fields import (
    AnyOf,
    Boolean,
    Float,
    Integer,
    ShortList,
    String,
    line,
    one_of,
    within,
    wrong_type,
)
from llm_api.web.smorest import StrictSchema

MAX_TRIES, DEFAULT_TRIES = 10, 3
_COST = r"^(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,6})? [A-Z]{3}$"
PASSED = "passed"


class JudgingOptionsSchema(StrictSchema):
    """How pictures are judged; as for `POST /api/v1/llm/score-image`."""

    checkpoints = ShortList(
        line(1, MAX_CHECKPOINT_CHARS),
        at_most=MAX_CHECKPOINTS,
        allow_none=True,
        metadata={
            "description": "What must be in each picture, beside what the prompt asks for.",
            "example": ["exactly three cats"],
        },
    )
    samples = Integer(
        allow_none=True,
        validate=within(1, 5),
        metadata={"default": 1, "description": "How often the model is asked."},
    )
    threshold = Float(
        allow_none=True,
        validate=within(0, 100),
        metadata={"default": 60, "description": "From which overall score on a picture passes."},
    )
    model = line(
        1, 128, allow_none=True, metadata={"description": "The judge; the configured one if none."}
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> JudgingOptions:
        """Make the options; null means left out."""
        return JudgingOptions(**{name: one for name, one in document.items() if one is not None})


class AcceptanceSchema(StrictSchema):
    """Which picture is accepted; all that is named must hold.

    Without a score and checkpoints the verdict must say that it has passed, as with `passed`.
    """

    min_overall = Float(
        allow_none=True,
        validate=within(0, 100),
        metadata={"description": "Its overall score; only a model that sees gives one."},
    )
    checkpoints = String(
        allow_none=True,
        validate=one_of(("all",)),
        metadata={"description": "all: each checkpoint is known to be passed."},
    )
    min_coverage = Float(
        allow_none=True,
        validate=within(0, 1),
        metadata={"description": "The share of checkpoints whose outcome must be known."},
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> Acceptance:
        """Make the rule."""
        wants_all = document.get("checkpoints") is not None
        return Acceptance(document.get("min_overall"), wants_all, document.get("min_coverage"))


class _OneOf(AnyOf):
    """A value in a simple form, or an object."""

    expected = ""

    def __init__(
        self, simple: ma.fields.Field[Any], kind: type[ma.Schema], *, description: str
    ) -> None:
        super().__init__(
            simple,
            ma.fields.Nested(kind),
            allow_none=True,
            metadata={"description": description},
        )

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        simple, nested = self.forms
        if isinstance(value, dict):
            return nested.deserialize(value, attr, data, **options)
        try:
            return simple.deserialize(value, attr, data, **options)
        except ma.ValidationError as error:
            raise wrong_type(self.expected) from error


class JudgeField(_OneOf):
    """Whether pictures are judged, and how."""

    expected = "true, false or an object"

    def __init__(self) -> None:
        """Describe both forms."""
        words = "Judge every picture, and return the best first; an object says how."
        super().__init__(Boolean(), JudgingOptionsSchema, description=words)


class _AcceptField(_OneOf):
    expected = '"passed" or an object'

    def __init__(self) -> None:
        words = "passed: the verdict says so; an object asks for more."
        super().__init__(String(validate=one_of((PASSED,))), AcceptanceSchema, description=words)


class UntilSchema(StrictSchema):
    """Make pictures until one is accepted: what failed is fed back into the prompt."""

    accept = _AcceptField()
    max_cost = String(
        allow_none=True,
        validate=ma.validate.Regexp(
            _COST.removesuffix("$") + r"\Z", error='must be an amount and a currency: "2 CNY".'
        ),
        metadata={
            "description": "What all tries together may cost. A step that could exceed it is not "
            "begun.",
            "example": "2 CNY",
            "pattern": _COST,
        },
    )
    max_tries = Integer(
        allow_none=True,
        validate=within(1, MAX_TRIES),
        metadata={"default": DEFAULT_TRIES, "description": "How often pictures are made at most."},
    )


def plan_of(judge: bool | JudgingOptions | None, until: dict[str, Any] | None) -> LoopPlan | None:  # noqa: FBT001  # as callers write it
    """Return what is to become of the pictures of a request; None where they are not judged."""
    options = judge if isinstance(judge, JudgingOptions) else JudgingOptions()
    if until is None:
        return LoopPlan(options) if judge else None
    accept, cost = until.get("accept"), until.get("max_cost")
    return LoopPlan(
        options,
        accept if isinstance(accept, Acceptance) else Acceptance(),
        until.get("max_tries") or DEFAULT_TRIES,
        None if cost is None else _amount(cost),
    )


def _amount(text: str) -> Amount:
    number, _, currency = text.partition(" ")
    return Amount(int(Decimal(number) * MICRO), currency)
