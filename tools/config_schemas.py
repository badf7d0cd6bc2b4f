"""Writes the schemas of the files in `config/` for editors, in JSON Schema (draft 2020-12).

They are made from the marshmallow schemas by which the service reads the files. What a field's own
code checks stands in its `metadata`, below `json`. A schema accepts whatever the service accepts,
and refuses what it refuses as far as one value can say: that a name exists elsewhere it cannot see.
"""

import json
from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from llm_api.settings.catalogue_schema import CatalogueSchema
from llm_api.settings.config_files import ProfileSchema, TargetsSchema
from llm_api.settings.image_profiles import ImageProfileSchema
from llm_api.settings.rubric_files import LanguageSchema, RubricSchema
from llm_api.settings.video_profiles import VideoProfileSchema

Json = dict[str, Any]
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
# By file name below config/schemas/: the schema, and the files that it is for.
SCHEMAS: Mapping[str, tuple[type[ma.Schema], str]] = {
    "models": (CatalogueSchema, "models.toml"),
    "targets": (TargetsSchema, "targets.toml"),
    "profile": (ProfileSchema, "profiles/*.toml"),
    "images": (ImageProfileSchema, "images/*.toml"),
    "videos": (VideoProfileSchema, "videos/*.toml"),
    "rubric": (RubricSchema, "rubrics/*/rubric.toml"),
    "dimensions": (LanguageSchema, "rubrics/*/*/dimensions.toml"),
}


def texts() -> dict[str, str]:
    """Return the text of each schema, by the name of its file."""
    return {
        f"{name}.json": json.dumps(_document(schema(), files), indent=2, ensure_ascii=False) + "\n"
        for name, (schema, files) in SCHEMAS.items()
    }


def _document(schema: ma.Schema, files: str) -> Json:
    return {"$schema": _DRAFT, "title": f"config/{files}", **_table(schema)}


def _table(schema: ma.Schema) -> Json:
    """Return the schema of a table with known names."""
    by_key = {field.data_key or name: field for name, field in schema.fields.items()}
    required = [key for key, field in by_key.items() if field.required]
    return {
        "type": "object",
        "properties": {key: _value(field) for key, field in by_key.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _value(field: ma.fields.Field[Any]) -> Json:
    """Return the schema of what a field reads."""
    metadata = field.metadata
    words = {"description": metadata["description"]} if "description" in metadata else {}
    schema = {**words, **_by_type(field)}
    for validator in field.validators:
        schema |= _by_validator(validator, schema)
    extra: Json = metadata.get("json", {})
    return schema | extra


def _by_type(field: ma.fields.Field[Any]) -> Json:
    if isinstance(field, ma.fields.Nested):
        return _table(field.schema)
    if isinstance(field, ma.fields.List):
        return {"type": "array", "items": _value(field.inner)}
    if isinstance(field, ma.fields.Dict):
        return {"type": "object", **_names_and_values(field)}
    if isinstance(field, ma.fields.Boolean):
        return {"type": "boolean"}
    if isinstance(field, ma.fields.Integer):
        return {"type": "integer"}
    if isinstance(field, ma.fields.Float):
        return {"type": "number"}
    return {"type": "string"}


def _names_and_values(field: ma.fields.Dict) -> Json:
    values = True if field.value_field is None else _value(field.value_field)
    names = {} if field.key_field is None else _value(field.key_field)
    if "enum" in names:
        return {
            "properties": dict.fromkeys(names["enum"], values),
            "additionalProperties": False,
        }
    if "pattern" in names:
        return {"patternProperties": {names["pattern"]: values}, "additionalProperties": False}
    return {"additionalProperties": values}


def _by_validator(validator: Any, schema: Json) -> Json:
    """Return what a validator asks for; one that is code of ours has its words in `metadata`."""
    check = ma.validate
    if isinstance(validator, check.ContainsOnly):  # before OneOf, which it is, too
        return {"items": {**schema["items"], "enum": list(validator.choices)}}
    if isinstance(validator, check.OneOf):
        return {"enum": list(validator.choices)}
    if isinstance(validator, check.Equal):
        return {"enum": [validator.comparable]}
    if isinstance(validator, check.Regexp):  # from the beginning, as re.match has it
        return {"pattern": f"^(?:{validator.regex.pattern!s})"}
    if isinstance(validator, check.Length):
        return _bounds(validator, "Items" if schema["type"] == "array" else "Length")
    if isinstance(validator, check.Range):
        low = "minimum" if validator.min_inclusive else "exclusiveMinimum"
        bounds = {low: validator.min, "maximum": validator.max}
        return {name: bound for name, bound in bounds.items() if bound is not None}
    return {}


def _bounds(length: ma.validate.Length, what: str) -> Json:
    low, high = (length.equal, length.equal) if length.equal else (length.min, length.max)
    bounds = {f"min{what}": low, f"max{what}": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}
