"""What was measured in a picture, as answers have it."""

from typing import Any

import marshmallow as ma

from llm_api.domain.judging import Measurements


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


class FlagSchema(ma.Schema):
    """A technical flaw that was measured."""

    name = ma.fields.String(required=True, metadata={"example": "blur"})
    value = ma.fields.Float(required=True)
    threshold = ma.fields.Float(required=True)
    is_set = ma.fields.Boolean(required=True)


class ReadTextSchema(ma.Schema):
    """A line of text in a picture."""

    text = ma.fields.String(required=True)
    confidence = ma.fields.Float(required=True)
    box = ma.fields.List(
        ma.fields.Float(),
        required=True,
        metadata=_about("Left, top, right, bottom, each from 0 to 1."),
    )


class SeenObjectSchema(ma.Schema):
    """An object in a picture."""

    label = ma.fields.String(required=True)
    confidence = ma.fields.Float(required=True)
    box = ma.fields.List(ma.fields.Float(), required=True)


class MeasurementsSchema(ma.Schema):
    """What was measured in a picture."""

    width = ma.fields.Integer(required=True)
    height = ma.fields.Integer(required=True)
    flags = ma.fields.List(ma.fields.Nested(FlagSchema), required=True)
    texts = ma.fields.List(
        ma.fields.Nested(ReadTextSchema),
        required=True,
        allow_none=True,
        metadata=_about("null where no text was looked for."),
    )
    objects = ma.fields.List(
        ma.fields.Nested(SeenObjectSchema),
        required=True,
        allow_none=True,
        metadata=_about("null where no objects were looked for."),
    )
    unavailable = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata=_about("Parts that are not installed, and how to get them."),
    )
    versions = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    seconds = ma.fields.Float(required=True)


def measured_fields(found: Measurements) -> dict[str, Any]:
    """Return the fields of measurements."""

    def listed(items: tuple[Any, ...] | None) -> list[dict[str, Any]] | None:
        if items is None:
            return None
        return [{name: getattr(item, name) for name in item.__slots__} for item in items]

    return {
        "width": found.width,
        "height": found.height,
        "flags": listed(found.flags),
        "texts": listed(found.texts),
        "objects": listed(found.objects),
        "unavailable": dict(found.unavailable),
        "versions": dict(found.versions),
        "seconds": found.seconds,
    }
