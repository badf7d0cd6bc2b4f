"""What the image routes answer, for the API document."""

from typing import Any

import marshmallow as ma

from llm_api.web.rest.images.loop_schemas import (
    FidelitySchema,
    PlannedJudgeSchema,
    stopped_by,
    tries,
)
from llm_api.web.rest.judge.verdict_schemas import PictureVerdictSchema
from llm_api.web.rest.tasks.task_schemas import (
    TaskErrorSchema,
    UsedPromptSchema,
    VendorRequestSchema,
    WarningSchema,
)

STATES = ("queued", "running", "completed", "failed", "cancelled", "expired")
_COUNT = {"minimum": 0}


def _text(*, is_null: bool = False, **described: Any) -> ma.fields.String:
    return ma.fields.String(required=True, allow_none=is_null, metadata=described)


def _count(*, is_null: bool = False, **described: Any) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, allow_none=is_null, metadata={**_COUNT, **described})


def _many(schema: type[ma.Schema]) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.Nested(schema), required=True)


class PictureSchema(ma.Schema):
    """A picture; `url` or `b64_json` is null, as `response_format` says."""

    index = _count()
    url = _text(is_null=True, example="/api/v1/files/file_7Qd0n4")
    b64_json = _text(is_null=True)
    mime_type = _text(example="image/png")
    width = _count(is_null=True)
    height = _count(is_null=True)
    bytes = _count()
    seed = ma.fields.Integer(required=True, allow_none=True)
    revised_prompt = _text(is_null=True)
    verdict = ma.fields.Nested(
        PictureVerdictSchema,
        allow_none=True,
        metadata={"description": "Only with `judge` or `until`; null where nobody could judge."},
    )


class FailedPictureSchema(ma.Schema):
    """A picture that was not made, and why."""

    index = _count()
    reason = _text(example="content_filtered")
    message = _text()
    retryable = ma.fields.Boolean(required=True)
    stage = ma.fields.String(metadata={"description": "Of a filter: input or output, if known."})
    what = ma.fields.String(metadata={"description": "What it was about, such as image, if known."})


class ImageTokensSchema(ma.Schema):
    """Tokens, as the vendor counted them."""

    input_tokens = _count(is_null=True)
    output_tokens = _count(is_null=True)


class ImageUsageSchema(ma.Schema):
    """What the vendor counted, null where it did not, and what it costs."""

    images = _count(is_null=True)
    input_images = _count()
    pixels = _count(is_null=True)
    tokens = ma.fields.Nested(ImageTokensSchema, required=True, allow_none=True)
    vendor = ma.fields.Dict(
        required=True, metadata={"description": "The vendor's own count, as it came."}
    )
    cost_micros = _count(is_null=True, description="Millionths of `currency`; null is unknown.")
    currency = _text(is_null=True, example="CNY")


class ImageGenerationSchema(ma.Schema):
    """The pictures."""

    id = _text(example="img_2b8f0d5f7c3e41a9")
    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("image.generation",)))
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(("completed",)))
    kind = ma.fields.String(
        metadata={"description": "Only of the built-in helper: layout_sketch, which is no picture."}
    )
    drawn = ma.fields.List(
        ma.fields.String(), metadata={"description": "Only of that helper: what it has drawn."}
    )
    not_drawn = ma.fields.List(
        ma.fields.String(), metadata={"description": "Only of that helper: what it has not."}
    )
    created = _count(description="Seconds since 1970, as all times here.")
    model = _text()
    prompt = ma.fields.Nested(UsedPromptSchema, required=True)
    data = _many(PictureSchema)
    failed = _many(FailedPictureSchema)
    warnings = _many(WarningSchema)
    usage = ma.fields.Nested(ImageUsageSchema, required=True)
    fidelity = ma.fields.List(
        ma.fields.Nested(FidelitySchema),
        metadata={"description": "Only with `judge` or `until`: the way of each requirement."},
    )
    stopped_by = stopped_by(is_open=False)
    tries = tries()
    total_cost_micros = ma.fields.Integer(
        allow_none=True,
        metadata={"description": "Only with `judge` or `until`: of all tries; null is unknown."},
    )
    total_currency = ma.fields.String(allow_none=True)
    expires_at = _count(description="When the files are deleted.")
    upstream_ms = _count(is_null=True)
    request_id = _text()


class ImageTaskSchema(ma.Schema):
    """A task: pictures on their way, or what has become of them."""

    id = _text(example="img_2b8f0d5f7c3e41a9")
    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("image.task",)))
    status = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(STATES),
    )
    created = _count()
    model = _text()
    poll_url = _text(example="/api/v1/images/tasks/img_2b8f0d5f7c3e41a9")
    poll_after_ms = _count(is_null=True, description="null once the task has ended.")
    result = ma.fields.Nested(ImageGenerationSchema, required=True, allow_none=True)
    error = ma.fields.Nested(TaskErrorSchema, required=True, allow_none=True)
    warnings = _many(WarningSchema)
    stopped_by = stopped_by(is_open=True)
    tries = tries()
    expires_at = _count()
    request_id = _text()


class EndedTaskSchema(ma.Schema):
    """What has become of a task that was to end."""

    id = _text(example="img_2b8f0d5f7c3e41a9")
    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("image.task",)))
    status = _text(is_null=True, description="null where the task was deleted.")
    cancel_state = _text(
        is_null=True,
        description="cancelled, too_late, not_supported; null where the task was deleted.",
    )
    deleted = ma.fields.Boolean(required=True)
    request_id = _text()


class ImagePreviewSchema(ma.Schema):
    """What would be sent; nothing was made."""

    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("image.preview",)))
    model = _text()
    upstream = _text()
    prompt = ma.fields.Nested(UsedPromptSchema, required=True)
    warnings = _many(WarningSchema)
    requests = _many(VendorRequestSchema)
    cost_micros = _count(is_null=True, description="What it would cost at most; null is unknown.")
    currency = _text(is_null=True)
    judge = ma.fields.Nested(
        PlannedJudgeSchema, metadata={"description": "Only with `judge` or `until`."}
    )
    max_tries = ma.fields.Integer(metadata={"description": "Only with `judge` or `until`."})
    try_cost_micros = ma.fields.Integer(
        allow_none=True,
        metadata={"description": "Only with `judge` or `until`: the most that the first costs."},
    )
    request_id = _text()
