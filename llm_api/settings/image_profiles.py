"""Reads the vendors of pictures in `config/images/`; errors are reported as in `config_files`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma

from llm_api.settings.config_files import FOLDER
from llm_api.settings.vendor_profiles import (
    Count,
    SizeText,
    Truth,
    VendorProfileSchema,
    VendorTraits,
    Words,
    kept,
    models_of,
    read_profiles,
)
from llm_api.upstream.media.image_profiles import ImageModel, ImageProfile, SizeRule
from llm_api.upstream.media.protocols import NAMES, wire_words

IMAGES = FOLDER / "images"
_TIER = r"\d(\.\d)?K$"
_RATIO = r"\d{1,2}:\d{1,2}$"
_FORMATS = ("png", "jpeg", "webp")


class _SizeSchema(ma.Schema):
    is_asked = Truth()
    listed = ma.fields.List(SizeText())
    also = ma.fields.List(SizeText())
    multiple = Count()
    min_side = Count()
    max_side = Count()
    min_pixels = Count()
    max_pixels = Count()
    max_ratio = ma.fields.Float(validate=ma.validate.Range(1, 100))
    default = SizeText()
    follows_input = Truth()
    keeps_ratio = Truth()


class _Traits(VendorTraits):
    """What a file says of a model, or in `[defaults]` of all its models."""

    protocol = ma.fields.String(validate=ma.validate.OneOf(NAMES))
    size = ma.fields.Nested(_SizeSchema)
    resolutions = ma.fields.Dict(
        keys=ma.fields.String(validate=ma.validate.Regexp(_TIER)),
        values=ma.fields.Dict(
            keys=ma.fields.String(validate=ma.validate.Regexp(_RATIO)), values=SizeText()
        ),
    )
    n_per_call = Count(1, 15)
    n_per_edit = Count(1, 15)
    max_n = Count(1, 10)
    quality = Words()
    formats = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(_FORMATS)))
    makes = ma.fields.String(validate=ma.validate.OneOf(_FORMATS))
    min_references = Count(0)
    max_references = Count(0)
    has_mask = Truth()
    is_task = Truth()


class ImageProfileSchema(VendorProfileSchema):
    """A file of `config/images/`."""

    defaults = ma.fields.Nested(_Traits, load_default=dict)
    models = models_of(_Traits)


def read_image_profiles(root: Path) -> dict[str, ImageProfile]:
    """Read `config/images/*.toml` below `root`, by file name; raises SettingsError."""
    return read_profiles(root, IMAGES, ImageProfileSchema, wire_words, _model)


def _model(name: str, traits: Mapping[str, Any]) -> ImageModel:
    values: dict[str, Any] = {trait: kept(trait, value) for trait, value in traits.items()}
    size = {trait: kept(trait, value) for trait, value in values.pop("size", {}).items()}
    return ImageModel(name=name, size=SizeRule(**size), **values)
