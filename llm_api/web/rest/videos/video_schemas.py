"""What the routes of films answer, for the API document."""

from typing import Any

import marshmallow as ma

from llm_api.services.videos.video_job import STATUSES
from llm_api.web.rest.tasks.task_schemas import (
    TaskErrorSchema,
    UsedPromptSchema,
    VendorRequestSchema,
    WarningSchema,
)

_COUNT = {"minimum": 0}
_EXAMPLE_ID = "video_2b8f0d5f7c3e41a9"


def _text(*, is_null: bool = False, **described: Any) -> ma.fields.String:
    return ma.fields.String(required=True, allow_none=is_null, metadata=described)


def _count(*, is_null: bool = False, **described: Any) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, allow_none=is_null, metadata={**_COUNT, **described})


def _named(name: str) -> ma.fields.String:
    return ma.fields.String(required=True, validate=ma.validate.OneOf((name,)))


def _many(schema: type[ma.Schema]) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.Nested(schema), required=True)


class AskedFilmSchema(ma.Schema):
    """What the model was asked for; null where it has no such setting."""

    resolution = _text(is_null=True, example="720p")
    aspect_ratio = _text(is_null=True, example="16:9")
    duration = ma.fields.Raw(
        required=True,
        metadata={"type": ["integer", "string", "null"], "description": "Seconds, or auto."},
    )
    audio = ma.fields.Boolean(required=True)
    seed = ma.fields.Integer(required=True, allow_none=True)


class FilmSchema(ma.Schema):
    """A film that was made; its size, length and frames a second are those of its file."""

    url = _text(example="/api/v1/files/file_7Qd0n4")
    mime_type = _text(example="video/mp4")
    width = _count(is_null=True)
    height = _count(is_null=True)
    duration = ma.fields.Float(
        required=True, allow_none=True, metadata={"description": "Seconds.", **_COUNT}
    )
    fps = ma.fields.Float(
        required=True, allow_none=True, metadata={"description": "Frames a second.", **_COUNT}
    )
    bytes = _count()
    last_frame_url = _text(is_null=True, description="With `return_last_frame`.")
    cover_url = _text(is_null=True, description="A picture of it, of vendors that send one.")


class FilmUsageSchema(ma.Schema):
    """What the vendor counted, null where it did not, and what it costs."""

    seconds = ma.fields.Float(required=True, allow_none=True, metadata=_COUNT)
    tokens = _count(is_null=True)
    vendor = ma.fields.Dict(
        required=True, metadata={"description": "The vendor's own count, as it came."}
    )
    cost_micros = _count(is_null=True, description="Millionths of `currency`; null is unknown.")
    currency = _text(is_null=True, example="CNY")


class VideoTaskSchema(ma.Schema):
    """A film on its way, or what has become of it."""

    id = _text(example=_EXAMPLE_ID)
    object = _named("video.task")
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(STATUSES))
    progress = _count(is_null=True, maximum=100, description="null where the vendor does not say.")
    created_at = _count(description="Seconds since 1970, as all times here.")
    started_at = _count(is_null=True)
    completed_at = _count(is_null=True)
    model = _text()
    prompt = ma.fields.Nested(UsedPromptSchema, required=True)
    request = ma.fields.Nested(AskedFilmSchema, required=True)
    result = ma.fields.Nested(FilmSchema, required=True, allow_none=True)
    error = ma.fields.Nested(TaskErrorSchema, required=True, allow_none=True)
    warnings = _many(WarningSchema)
    usage = ma.fields.Nested(FilmUsageSchema, required=True)
    poll_url = _text(example=f"/api/v1/videos/{_EXAMPLE_ID}")
    poll_after_ms = _count(is_null=True, description="null once the task has ended.")
    expires_at = _count(description="When the task is deleted, with its files.")
    request_id = _text()


class VideoListSchema(ma.Schema):
    """Films, the newest first."""

    object = _named("list")
    data = _many(VideoTaskSchema)
    last_id = _text(is_null=True, description="`after` for the next page.")
    has_more = ma.fields.Boolean(required=True)
    request_id = _text()


class VideoPreviewSchema(ma.Schema):
    """What would be sent; nothing was made."""

    object = _named("video.preview")
    model = _text()
    upstream = _text()
    prompt = ma.fields.Nested(UsedPromptSchema, required=True)
    warnings = _many(WarningSchema)
    requests = _many(VendorRequestSchema)
    cost_micros = _count(is_null=True, description="What it would cost at most; null is unknown.")
    currency = _text(is_null=True)
    request_id = _text()


class EndedVideoSchema(ma.Schema):
    """What has become of a film that was to end."""

    id = _text(example=_EXAMPLE_ID)
    object = _named("video.task")
    status = _text(is_null=True, description="null where the task was deleted.")
    cancel_state = _text(is_null=True, description="cancelled; null where the task was deleted.")
    deleted = ma.fields.Boolean(required=True)
    request_id = _text()
