"""What the image routes answer of judged pictures and of loops, for the API document."""

from typing import Any

import marshmallow as ma

from llm_api.web.rest.judge.verdict_schemas import PictureVerdictSchema
from llm_api.web.rest.tasks.task_schemas import WarningSchema

STOPPED_BY = ("accepted", "max_tries", "max_cost", "deadline", "error", "cancelled")
_OUTCOMES = ("passed", "failed", "unknown")
_LOSERS = ("rewrite", "vendor_rewrite", "picture")


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


def _text(description: str = "", **options: Any) -> ma.fields.String:
    return ma.fields.String(required=True, metadata=_about(description), **options)


class WhyNotSchema(ma.Schema):
    """Why there are no pictures, or no verdict."""

    reason = ma.fields.String(required=True)
    message = ma.fields.String(required=True)
    retryable = ma.fields.Boolean(required=True)
    stage = ma.fields.String(metadata=_about("Of a filter: input or output, if known."))
    what = ma.fields.String(metadata=_about("What it was about, such as image, if known."))


class TriedPictureSchema(ma.Schema):
    """A picture of a try."""

    id = _text("Of its file.")
    url = _text("Where it is, until it expires.")
    index = ma.fields.Integer(required=True, metadata={"minimum": 0})
    verdict = ma.fields.Nested(PictureVerdictSchema, required=True, allow_none=True)
    error = ma.fields.Nested(WhyNotSchema, required=True, allow_none=True)


class TrySchema(ma.Schema):
    """One try: what was fed back, the prompt that came of it, and the verdicts."""

    number = ma.fields.Integer(required=True, metadata={"minimum": 1})
    task_id = _text("Of the job that made its pictures.")
    prompt = _text("What the model got.")
    fed_back = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata=_about("What pictures had lacked until then; the prompt says it once more."),
    )
    pictures = ma.fields.List(ma.fields.Nested(TriedPictureSchema), required=True)
    error = ma.fields.Nested(WhyNotSchema, required=True, allow_none=True)
    warnings = ma.fields.List(ma.fields.Nested(WarningSchema), required=True)
    cost_micros = ma.fields.Integer(
        required=True, allow_none=True, metadata=_about("Of all its calls; null is unknown.")
    )
    currency = ma.fields.String(required=True, allow_none=True)


class FidelitySchema(ma.Schema):
    """One thing that the prompt asks for, and where it was lost on the way to the picture."""

    item = _text("The requirement, as a sentence.")
    kind = ma.fields.String(required=True, metadata={"example": "count"})
    in_prompt = ma.fields.Boolean(required=True)
    in_rewrite = ma.fields.Boolean(
        required=True, allow_none=True, metadata=_about("null: nothing was rewritten.")
    )
    in_vendor_rewrite = ma.fields.Boolean(
        required=True, allow_none=True, metadata=_about("null: the vendor does not say.")
    )
    in_picture = ma.fields.String(required=True, validate=ma.validate.OneOf(_OUTCOMES))
    lost_by = ma.fields.String(
        required=True, allow_none=True, validate=ma.validate.OneOf((*_LOSERS, None))
    )
    switch_off = _text("What to send so that it is not lost there.", allow_none=True)


def stopped_by(*, is_open: bool) -> ma.fields.String:
    """Describe why a loop has ended; null where it goes on."""
    choices = (*STOPPED_BY, None) if is_open else STOPPED_BY
    return ma.fields.String(
        allow_none=is_open,
        validate=ma.validate.OneOf(choices),
        metadata=_about("Only with `judge` or `until`: why there is no further try."),
    )


def tries() -> ma.fields.List[Any]:
    """Describe the tries of a loop."""
    about = _about("Only with `judge` or `until`: all tries, in their order.")
    return ma.fields.List(ma.fields.Nested(TrySchema), metadata=about)


class PlannedJudgeSchema(ma.Schema):
    """Who would judge, and by what."""

    method = ma.fields.String(required=True, validate=ma.validate.OneOf(("vision", "measured")))
    model = ma.fields.String(required=True, allow_none=True)
    checkpoints = ma.fields.List(ma.fields.String(), required=True)
