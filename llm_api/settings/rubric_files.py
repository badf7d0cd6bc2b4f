"""Reads the rubrics of the judge: `config/rubrics/VERSION/LANGUAGE/`."""

from pathlib import Path
from string import Template
from typing import Any

import marshmallow as ma

from llm_api.domain.judging import Level
from llm_api.services.judge.rubric import DIMENSIONS, LANGUAGES, QUALITY, TEXT, Dimension, Rubric
from llm_api.settings import held_files
from llm_api.settings.config_files import FOLDER
from llm_api.settings.settings import SettingsError
from llm_api.settings.toml_files import checked

RUBRICS = FOLDER / "rubrics"
VERSION = "1"
_PLACES = {
    "alignment": {"dimensions", "form"},
    "quality": {"dimensions", "form"},
    "pair": {"form"},
    "repair": {"form"},
}


def _text() -> ma.fields.String:
    return ma.fields.String(required=True, validate=ma.validate.Length(min=1))


class _LabelsSchema(ma.Schema):
    picture = _text()
    reference = _text()
    first = _text()
    second = _text()


class _DimensionSchema(ma.Schema):
    question = _text()
    bad = _text()
    poor = _text()
    fair = _text()
    good = _text()
    excellent = _text()
    none = ma.fields.String(load_default=None, validate=ma.validate.Length(min=1))


def _all_of(names: tuple[str, ...], item: ma.fields.Field[Any]) -> ma.fields.Dict:
    def check(table: dict[str, Any]) -> None:
        if set(table) != set(names):
            raise ma.ValidationError(f"Must have {', '.join(names)}, and no other.")

    keys = ma.fields.String(validate=ma.validate.OneOf(names))
    json = {"required": list(names)}
    return ma.fields.Dict(
        keys=keys, values=item, required=True, validate=check, metadata={"json": json}
    )


class LanguageSchema(ma.Schema):
    """A file `dimensions.toml` of a rubric."""

    labels = ma.fields.Nested(_LabelsSchema, required=True)
    dimensions = _all_of(DIMENSIONS, ma.fields.Nested(_DimensionSchema))


class RubricSchema(ma.Schema):
    """A file `rubric.toml`."""

    weights = _all_of(
        QUALITY, ma.fields.Float(validate=ma.validate.Range(min=0, min_inclusive=False))
    )


def read_rubrics(root: Path) -> dict[str, Rubric]:
    """Read the rubrics below `root`, by language; raises SettingsError."""
    folder = RUBRICS / VERSION
    weights = checked(RubricSchema, root, folder / "rubric.toml")["weights"]
    return {language: _rubric(root, folder / language, weights) for language in LANGUAGES}


def _rubric(root: Path, folder: Path, weights: dict[str, float]) -> Rubric:
    path = folder / "dimensions.toml"
    table = checked(LanguageSchema, root, path)
    if table["dimensions"][TEXT]["none"] is None:
        raise SettingsError([f"{path}, dimensions.{TEXT}.none: Missing data for required field."])
    texts = {name: _read(root, folder / f"{name}.txt", places) for name, places in _PLACES.items()}
    return Rubric(
        version=VERSION,
        language=folder.name,
        **texts,
        dimensions={name: _dimension(row) for name, row in table["dimensions"].items()},
        labels=table["labels"],
        weights=weights,
    )


def _dimension(row: dict[str, Any]) -> Dimension:
    anchors = {level: row[level.value] for level in Level}
    return Dimension(row["question"], anchors, row["none"])


def _read(root: Path, path: Path, places: set[str]) -> str:
    try:
        text = held_files.read(root / path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path} cannot be read."]) from error
    template = Template(text)
    if not template.is_valid() or set(template.get_identifiers()) != places:
        named = " and ".join(f"${name}" for name in sorted(places))
        raise SettingsError([f"{path} must have {named}, and no other word behind a $."])
    return text
