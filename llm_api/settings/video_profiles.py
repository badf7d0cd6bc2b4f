"""Reads the vendors of films in `config/videos/`; errors are reported as in `config_files`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma

from llm_api.domain.videos import RESOLUTIONS
from llm_api.settings.config_files import FOLDER
from llm_api.settings.vendor_profiles import (
    Count,
    SizeText,
    Truth,
    VendorProfileSchema,
    VendorTraits,
    kept,
    models_of,
    read_profiles,
)
from llm_api.upstream.media.protocols.films import NAMES, wire_words
from llm_api.upstream.media.video_profiles import ALWAYS, ASKED, NEVER, VideoModel, VideoProfile

VIDEOS = FOLDER / "videos"
_RATIO = r"\d{1,2}:\d{1,2}$"
_LONGEST_S = 600


def _resolution() -> ma.fields.String:
    return ma.fields.String(validate=ma.validate.OneOf(RESOLUTIONS))


def _ratio() -> ma.fields.String:
    return ma.fields.String(validate=ma.validate.Regexp(_RATIO))


def _some(field: ma.fields.Field[Any]) -> ma.fields.List[Any]:
    return ma.fields.List(field, validate=ma.validate.Length(min=1))


class _Traits(VendorTraits):
    """What a file says of a model, or in `[defaults]` of all its models."""

    protocol = ma.fields.String(validate=ma.validate.OneOf(NAMES))
    durations = _some(Count(1, _LONGEST_S))
    min_seconds = Count(1, _LONGEST_S)
    max_seconds = Count(1, _LONGEST_S)
    default_seconds = Count(1, _LONGEST_S)
    can_choose_seconds = Truth()
    resolutions = _some(_resolution())
    ratios = _some(_ratio())
    can_choose_ratio = Truth()
    frame_ratio = Truth()
    sizes = ma.fields.Dict(
        keys=_resolution(), values=ma.fields.Dict(keys=_ratio(), values=SizeText())
    )
    is_sized = Truth()
    has_first_frame = Truth()
    has_last_frame = Truth()
    needs_last_frame = Truth()
    needs_picture = Truth()
    needs_prompt = Truth()
    max_reference_images = Count(0, 100)
    max_reference_videos = Count(0, 100)
    max_reference_audios = Count(0, 100)
    audio = ma.fields.String(validate=ma.validate.OneOf([ASKED, ALWAYS, NEVER]))
    fps = _some(Count(1, 240))
    tokens_per_pixel = ma.fields.Float(validate=ma.validate.Range(0, 1))
    input_seconds = Count(0, _LONGEST_S)
    expiry = ma.fields.List(Count(), validate=ma.validate.Length(equal=2))


class VideoProfileSchema(VendorProfileSchema):
    """A file of `config/videos/`."""

    defaults = ma.fields.Nested(_Traits, load_default=dict)
    models = models_of(_Traits)


def read_video_profiles(root: Path) -> dict[str, VideoProfile]:
    """Read `config/videos/*.toml` below `root`, by file name; raises SettingsError."""
    return read_profiles(root, VIDEOS, VideoProfileSchema, wire_words, _model)


def _model(name: str, traits: Mapping[str, Any]) -> VideoModel:
    return VideoModel(name=name, **{trait: kept(trait, value) for trait, value in traits.items()})
