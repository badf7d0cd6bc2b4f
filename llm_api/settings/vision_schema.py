"""The part of a vendor profile about pictures in chat calls: `[vision]`."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from llm_api.upstream.vendors.vision import PictureTokens, VisionTraits

_POSITIVE = ma.validate.Range(min=1)


def names(**options: Any) -> ma.fields.List[Any]:
    """Make the field of a list of names."""
    return ma.fields.List(ma.fields.String(validate=ma.validate.Length(min=1)), **options)


def _count(**options: Any) -> ma.fields.Integer:
    return ma.fields.Integer(strict=True, validate=_POSITIVE, **options)


class _TokensSchema(ma.Schema):
    models = names(required=True)
    pixels_per_token = _count(required=True)
    most = _count(required=True)
    most_high = _count(load_default=None)
    base = _count(load_default=0)


class VisionSchema(ma.Schema):
    """See `VisionTraits`."""

    detail = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    high_for = names(load_default=())
    high_pixels = _count(load_default=None)
    high_fields = ma.fields.Dict(keys=ma.fields.String(), load_default=dict)
    fields_ = ma.fields.Dict(keys=ma.fields.String(), load_default=dict, data_key="fields")
    tokens = ma.fields.List(ma.fields.Nested(_TokensSchema), load_default=())


def vision_of(table: Mapping[str, Any]) -> VisionTraits:
    """Return what a loaded `[vision]` says; an empty one says nothing."""
    if not table:
        return VisionTraits()
    tokens = [entry | {"models": tuple(entry["models"])} for entry in table["tokens"]]
    return VisionTraits(
        takes_detail=table["detail"],
        high_for=frozenset(table["high_for"]),
        high_pixels=table["high_pixels"],
        high_fields=table["high_fields"],
        fields=table["fields_"],
        tokens=tuple(
            PictureTokens(**entry | {"most_high": entry["most_high"] or entry["most"]})
            for entry in tokens
        ),
    )
