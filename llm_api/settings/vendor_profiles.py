"""Reads the vendors of pictures and films; errors are reported as in `config_files`."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma

from llm_api.domain.making import Size
from llm_api.settings import held_files
from llm_api.settings.catalogue_schema import Names
from llm_api.settings.settings import SettingsError
from llm_api.settings.toml_files import checked
from llm_api.upstream.media.fitting.prompt_filters import FILTERS
from llm_api.upstream.media.vendor_models import GENERIC, M, VendorProfile

_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_NAME_LISTS = frozenset(["sends", "emulates", "drops", "formats"])


class SizeText(ma.fields.String):
    """A size such as 1024x768."""

    def __init__(self, **options: Any) -> None:
        """Create the field; `options` are those of `String`."""
        super().__init__(metadata={"json": {"pattern": f"^{_SIZE.pattern}$"}}, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        text = super()._deserialize(value, attr, data, **options)
        found = _SIZE.fullmatch(text or "")
        if found is None:
            raise ma.ValidationError(["Must be a size such as 1024x768."])
        return Size(int(found[1]), int(found[2]))


class Count(ma.fields.Integer):
    """A whole number."""

    def __init__(self, low: int = 1, high: int = 10**9) -> None:
        """Limit numbers to those from `low` to `high`."""
        super().__init__(strict=True, validate=ma.validate.Range(low, high))


class Truth(ma.fields.Boolean):
    """`true` or `false`."""

    def __init__(self) -> None:
        """Refuse everything else."""
        super().__init__(truthy={True}, falsy={False})


class Seconds(ma.fields.Float):
    """A time in seconds, of a day at most."""

    def __init__(self) -> None:
        """Refuse one that is shorter than a tenth."""
        super().__init__(validate=ma.validate.Range(0.1, 86_400))


class Words(ma.fields.Dict):
    """Texts by names."""

    def __init__(self) -> None:
        """Refuse everything but texts."""
        super().__init__(keys=ma.fields.String(), values=ma.fields.String())


class VendorTraits(ma.Schema):
    """What a file says of a model, or in `[defaults]` of all its models, whatever they make."""

    vendor = ma.fields.String(validate=ma.validate.Length(min=1))
    root = ma.fields.String(validate=ma.validate.Regexp(r"(/[\w.-]+)*$"))
    max_prompt = Count()
    max_negative = Count()
    sends = Names()
    emulates = ma.fields.List(ma.fields.String(validate=ma.validate.Equal("negative_prompt")))
    drops = Names()
    names = Words()
    always_marks = Truth()
    constants = ma.fields.Dict(keys=ma.fields.String())
    optimized = ma.fields.Dict(keys=ma.fields.String())
    filters = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(sorted(FILTERS))))
    seconds = Seconds()
    poll_after = ma.fields.List(Seconds(), validate=ma.validate.Length(min=1))
    wire = ma.fields.Dict(keys=ma.fields.String())


class VendorProfileSchema(ma.Schema):
    """A file of a vendor."""

    title = ma.fields.String(required=True)
    hosts = Names(load_default=())
    result_hosts = Names(load_default=())


def models_of(traits: type[VendorTraits]) -> ma.fields.Dict:
    """Return the field of a file that has its models."""
    return ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Nested(traits),
        required=True,
        validate=ma.validate.Length(min=1),
    )


def read_profiles(
    root: Path,
    folder: Path,
    schema: type[VendorProfileSchema],
    wire_words: Callable[[str], frozenset[str]],
    model: Callable[[str, Mapping[str, Any]], M],
) -> dict[str, VendorProfile[M]]:
    """Read the files of a folder below `root`, by their names; raises SettingsError.

    Args:
        root: the configuration's.
        folder: below it.
        schema: of a file.
        wire_words: what the `wire` of a protocol's models may say.
        model: makes a model of its name, and of what is said of it.
    """
    paths = held_files.names(root / folder, "*.toml")
    profiles = {}
    for path in paths:
        at = folder / path.name
        table = checked(schema, root, at)
        merged = {name: {**table["defaults"], **own} for name, own in table["models"].items()}
        _check(at, merged, wire_words)
        models = {name: model(name, traits) for name, traits in merged.items()}
        if wrong := [f"{at}, models.{m.name}.{m.problem}" for m in models.values() if m.problem]:
            raise SettingsError(wrong)
        profiles[path.stem] = VendorProfile(
            name=path.stem,
            title=table["title"],
            hosts=tuple(table["hosts"]),
            models=models,
            result_hosts=tuple(table["result_hosts"]),
        )
    if GENERIC not in profiles:
        raise SettingsError([f"{folder / GENERIC}.toml is missing."])
    return profiles


def _check(
    path: Path,
    models: Mapping[str, Mapping[str, Any]],
    wire_words: Callable[[str], frozenset[str]],
) -> None:
    problems = [
        f"{path}, models.{name}.{problem}"
        for name, traits in models.items()
        for problem in _problems(traits, wire_words)
    ]
    if problems:
        raise SettingsError(problems)


def _problems(traits: Mapping[str, Any], wire_words: Callable[[str], frozenset[str]]) -> list[str]:
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


def kept(trait: str, value: Any) -> Any:
    """Return what a list of a file is kept as."""
    if trait in _NAME_LISTS:
        return frozenset(value)
    return tuple(value) if isinstance(value, list) else value
