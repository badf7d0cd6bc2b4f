"""What the image routes answer, for the API document.

Source: https://platform.openai.com/docs/api-reference/images/object and …/images-streaming
"""

from typing import Any

import marshmallow as ma

from llm_api.web.openai.schemas import OpenAIErrorSchema, OpenAIWarningSchema


class OpenAIPictureSchema(ma.Schema):
    """A picture: its bytes as base64, or a link to it."""

    b64_json = ma.fields.String()
    url = ma.fields.String()
    revised_prompt = ma.fields.String(
        metadata={"description": "The prompt that was used, where it is not the caller's."}
    )


class OpenAIImageTokensSchema(ma.Schema):
    """Tokens, as the vendor counted them."""

    input_tokens = ma.fields.Integer(required=True)
    output_tokens = ma.fields.Integer(required=True)
    total_tokens = ma.fields.Integer(required=True)
    input_tokens_details = ma.fields.Dict()
    output_tokens_details = ma.fields.Dict()


class OpenAIFailedPictureSchema(ma.Schema):
    """A picture that was not made, and why."""

    index = ma.fields.Integer(required=True)
    reason = ma.fields.String(required=True)
    message = ma.fields.String(required=True)
    retryable = ma.fields.Boolean(required=True)
    stage = ma.fields.String()
    what = ma.fields.String()


class _PicturePropertiesSchema(ma.Schema):
    """What is known of a picture, or of all pictures of an answer."""

    size = ma.fields.String(metadata={"example": "1024x1024"})
    quality = ma.fields.String()
    background = ma.fields.String()
    output_format = ma.fields.String(metadata={"example": "png"})
    usage = ma.fields.Nested(
        OpenAIImageTokensSchema, metadata={"description": "Missing where no tokens are counted."}
    )
    failed = ma.fields.List(
        ma.fields.Nested(OpenAIFailedPictureSchema),
        metadata={"description": "Of several pictures, those that were not made."},
    )
    warnings = ma.fields.List(ma.fields.Nested(OpenAIWarningSchema))
    kind = ma.fields.String(
        metadata={"description": "Only of the built-in helper: layout_sketch, which is no picture."}
    )
    drawn = ma.fields.List(ma.fields.String())
    not_drawn = ma.fields.List(ma.fields.String())


class OpenAIImagesSchema(_PicturePropertiesSchema):
    """Pictures."""

    created = ma.fields.Integer(required=True)
    data = ma.fields.List(ma.fields.Nested(OpenAIPictureSchema), required=True)
    id = ma.fields.String(
        required=True, metadata={"description": "Of `GET /api/v1/images/tasks/{task_id}`."}
    )
    model = ma.fields.String(required=True)


class OpenAIImageEventSchema(_PicturePropertiesSchema):
    """A picture of a stream, or a preview of one."""

    type = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(
            (
                "image_generation.partial_image",
                "image_generation.completed",
                "image_edit.partial_image",
                "image_edit.completed",
            )
        ),
    )
    created_at = ma.fields.Integer(required=True)
    b64_json = ma.fields.String()
    url = ma.fields.String()
    partial_image_index = ma.fields.Integer()
    revised_prompt = ma.fields.String()


def image_events() -> dict[str, Any]:
    """Describe one event of a stream whose data is a picture or an error."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": [OpenAIImageEventSchema(), OpenAIErrorSchema()]},
    }
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"event": {"type": "string"}, "data": data},
    }
