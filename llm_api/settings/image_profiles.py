"""Reads the vendors of pictures in `config/images/`; errors are reported as in `config_files`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma

from llm_api.domain.making import Size
from llm_api.settings import held_files
from llm_api.settings.catalogue_schema import Names
from llm_api.settings.config_files import FOLDER
from llm_api.settings.settings import SettingsError
from llm_api.settings.toml_files import checked
from llm_api.upstream.media.fitting.prompt_filters import FILTERS
from llm_api.upstream.media.image_profiles import ImageModel, ImageProfile, SizeRule
from llm_api.upstream.media.protocols import NAMES, wire_words
from llm_api.upstream.media.vendor_models import GENERIC

IMAGES = FOLDER / "images"
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_TIER = r"\d(\.\d)?K$"
_RATIO = r"\d{1,2}:\d{1,2}$"
_FORMATS = ("png", "jpeg", "webp")
_NAME_LISTS = frozenset(["sends", "emulates", "drops", "formats"])


class _Size(ma.fields.String):
    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"json": {"pattern": f"^{_SIZE.pattern}$"}}, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        text = super()._deserialize(value, attr, data, **options)
        found = _SIZE.fullmatch(text or "")
        if found is None:
            raise ma.ValidationError(["Must be a size such as 1024x768."])
        return Size(int(found[1]), int(found[2]))


class _Count(ma.fields.Integer):
    def __init__(self, low: int = 1, high: int = 10**9) -> None:
        super().__init__(strict=True, validate=ma.validate.Range(low, high))


class _Truth(ma.fields.Boolean):
    def __init__(self) -> None:
        super().__init__(truthy={True}, falsy={False})


class _Seconds(ma.fields.Float):
    def __init__(self) -> None:
        super().__init__(validate=ma.validate.Range(0.1, 86_400))


class _Words(ma.fields.Dict):
    def __init__(self) -> None:
        super().__init__(keys=ma.fields.String(), values=ma.fields.String())


class _SizeSchema(ma.Schema):
    is_asked = _Truth()
    listed = ma.fields.List(_Size())
    also = ma.fields.List(_Size())
    multiple = _Count()
    min_side = _Count()
    max_side = _Count()
    min_pixels = _Count()
    max_pixels = _Count()
    max_ratio = ma.fields.Float(validate=ma.validate.Range(1, 100))
    default = _Size()
    follows_input = _Truth()
    keeps_ratio = _Truth()


class _Traits(ma.Schema):
    """What a file says of a model, or in `[defaults]` of all its models."""

    protocol = ma.fields.String(validate=ma.validate.OneOf(NAMES))
    vendor = ma.fields.String(validate=ma.validate.Length(min=1))
    root = ma.fields.String(validate=ma.validate.Regexp(r"(/[\w.-]+)*$"))
    size = ma.fields.Nested(_SizeSchema)
    resolutions = ma.fields.Dict(
        keys=ma.fields.String(validate=ma.validate.Regexp(_TIER)),
        values=ma.fields.Dict(
            keys=ma.fields.String(validate=ma.validate.Regexp(_RATIO)), values=_Size()
        ),
    )
    n_per_call = _Count(1, 15)
    n_per_edit = _Count(1, 15)
    max_n = _Count(1, 10)
    max_prompt = _Count()
    max_negative = _Count()
    sends = Names()
    emulates = ma.fields.List(ma.fields.String(validate=ma.validate.Equal("negative_prompt")))
    drops = Names()
    names = _Words()
    quality = _Words()
    formats = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(_FORMATS)))
    makes = ma.fields.String(validate=ma.validate.OneOf(_FORMATS))
    min_references = _Count(0)
    max_references = _Count(0)
    has_mask = _Truth()
    always_marks = _Truth()
    constants = ma.fields.Dict(keys=ma.fields.String())
    optimized = ma.fields.Dict(keys=ma.fields.String())
    filters = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(sorted(FILTERS))))
    seconds = _Seconds()
    is_task = _Truth()
    poll_after = ma.fields.List(_Seconds(), validate=ma.validate.Length(min=1))
    wire = ma.fields.Dict(keys=ma.fields.String())


class ImageProfileSchema(ma.Schema):
    """A file of `config/images/`."""

    title = ma.fields.String(required=True)
    hosts = Names(load_default=())
    result_hosts = Names(load_default=())
    defaults = ma.fields.Nested(_Traits, load_default=dict)
    models = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Nested(_Traits),
        required=True,
        validate=ma.validate.Length(min=1),
    )


def read_image_profiles(root: Path) -> dict[str, ImageProfile]:
    """Read `config/images/*.toml` below `root`, by file name; raises SettingsError."""
    paths = held_files.names(root / IMAGES, "*.toml")
    profiles = {path.stem: _profile(root, IMAGES / path.name) for path in paths}
    if GENERIC not in profiles:
        raise SettingsError([f"{IMAGES / GENERIC}.toml is missing."])
    return profiles


def _profile(root: Path, path: Path) -> ImageProfile:
    table = checked(ImageProfileSchema, root, path)
    merged = {name: {**table["defaults"], **own} for name, own in table["models"].items()}
    problems = [
        f"{path}, models.{name}.{problem}"
        for name, traits in merged.items()
        for problem in _problems(traits)
    ]
    if problems:
        raise SettingsError(problems)
    return ImageProfile(
        name=path.stem,
        title=table["title"],
        hosts=tuple(table["hosts"]),
        models={name: _model(name, traits) for name, traits in merged.items()},
        result_hosts=tuple(table["result_hosts"]),
    )


def _problems(traits: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a model once its file's defaults are in it."""
    problems = [f"{name}: Missing." for name in ("protocol", "vendor") if name not in traits]
    if wire := traits.get("wire"):
        known = wire_words(traits.get("protocol", ""))
        problems += [
            f"wire.{name}: The protocol knows {', '.join(sorted(known)) or 'no words'}."
            for name in wire.keys() - known
        ]
    said = [set(traits.get(name, ())) for name in ("sends", "emulates", "drops")]
    twice = (said[0] & said[1]) | (said[0] & said[2]) | (said[1] & said[2])
    return problems + [f"sends: {name} must be in one list alone." for name in sorted(twice)]


def _model(name: str, traits: Mapping[str, Any]) -> ImageModel:
    values: dict[str, Any] = {trait: _kept(trait, value) for trait, value in traits.items()}
    size = {trait: _kept(trait, value) for trait, value in values.pop("size", {}).items()}
    return ImageModel(name=name, size=SizeRule(**size), **values)


def _kept(trait: str, value: Any) -> Any:
    """Return what a list of a file is kept as."""
    if trait in _NAME_LISTS:
        return frozenset(value)
    return tuple(value) if isinstance(value, list) else value
