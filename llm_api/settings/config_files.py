"""Reads the data in `config/`: the model catalogue, vendor profiles and prompt targets.

Errors in a file are reported like wrong settings: the file, the place in it, and what is expected.
"""

import re
from pathlib import Path
from typing import Any

import marshmallow as ma

from llm_api.domain.access import Limits
from llm_api.domain.calls import CHAT, IMAGE, VIDEO, Model
from llm_api.domain.prompts import DIALECTS, ENCODERS, SYNTAX, TYPES, Target
from llm_api.domain.prompts import GENERIC as GENERIC_TARGET
from llm_api.domain.storyboards import MAX_SHOT_SECONDS, MAX_SHOTS, SHOT_FORMS
from llm_api.services.pricing import PriceList
from llm_api.settings import held_files
from llm_api.settings.catalogue_schema import CatalogueSchema, Names
from llm_api.settings.price_schema import prices_of
from llm_api.settings.responses_schema import ResponsesSchema, responses_of
from llm_api.settings.settings import SettingsError
from llm_api.settings.sources import CONFIG
from llm_api.settings.toml_files import checked
from llm_api.settings.vision_schema import VisionSchema, vision_of
from llm_api.upstream.vendors.error_meanings import REASONS
from llm_api.upstream.vendors.error_rules import ErrorRule
from llm_api.upstream.vendors.message_forms import MessageForms
from llm_api.upstream.vendors.profiles import GENERIC, INT64, Profile
from llm_api.upstream.vendors.thinking import LEVELS, ThinkingWords

FOLDER = CONFIG
MODELS = FOLDER / "models.toml"
PROFILES = FOLDER / "profiles"
_FOLDERS = {CHAT: PROFILES, IMAGE: FOLDER / "images", VIDEO: FOLDER / "videos"}
TARGETS = FOLDER / "targets.toml"
LANGUAGES = ("en", "zh")


class _Pattern(ma.fields.String):
    """A regular expression, or a list of alternatives."""

    def __init__(self, **options: Any) -> None:
        one = {"type": "string", "minLength": 1}
        several = {"type": "array", "items": one, "minItems": 1}
        # The type is either's.
        json = {"type": ["string", "array"], "anyOf": [one, several]}
        super().__init__(metadata={"json": json}, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        if isinstance(value, list) and value:
            value = "|".join(f"(?:{one})" if isinstance(one, str) and one else "(" for one in value)
        text = super()._deserialize(value, attr, data, **options)
        try:
            return re.compile(text or "", re.IGNORECASE)
        except re.error as error:
            raise ma.ValidationError(["Not a valid regular expression."]) from error


class _RuleSchema(ma.Schema):
    match = _Pattern(required=True)
    reason = ma.fields.String(required=True, validate=ma.validate.OneOf(sorted(REASONS)))
    hint = ma.fields.String(load_default=None)
    retryable = ma.fields.Boolean(load_default=None, truthy={True}, falsy={False})
    status = ma.fields.List(ma.fields.Integer(strict=True), load_default=())


class _ThinkingSchema(ma.Schema):
    on = ma.fields.Dict(keys=ma.fields.String(), load_default=None)
    off = ma.fields.Dict(keys=ma.fields.String(), load_default=None)
    level = ma.fields.String(load_default=None)
    levels = Names(load_default=(), validate=ma.validate.ContainsOnly(LEVELS))
    budget = ma.fields.String(load_default=None)


class ProfileSchema(ma.Schema):
    """A file of `config/profiles/`."""

    title = ma.fields.String(required=True)
    hosts = Names(load_default=())
    token_cap = ma.fields.String(
        load_default=None, validate=ma.validate.OneOf(["max_tokens", "max_completion_tokens"])
    )
    developer_role = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})
    parameters = Names(load_default=None)
    json_modes = Names(load_default=None)
    seeds = ma.fields.List(
        ma.fields.Integer(strict=True), load_default=INT64, validate=ma.validate.Length(equal=2)
    )
    thinking = ma.fields.Nested(_ThinkingSchema, load_default=dict)
    usage_of_one_choice = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    fetches_pictures = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    reasoning_back = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    files = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    vision = ma.fields.Nested(VisionSchema, load_default=dict)
    responses = ma.fields.Nested(ResponsesSchema, load_default=None)
    errors = ma.fields.List(ma.fields.Nested(_RuleSchema), load_default=())


class _TargetSchema(ma.Schema):
    languages = ma.fields.List(
        ma.fields.String(validate=ma.validate.OneOf(LANGUAGES)),
        required=True,
        validate=ma.validate.Length(min=1),
    )
    max_length = ma.fields.Dict(
        keys=ma.fields.String(validate=ma.validate.OneOf(LANGUAGES)),
        values=ma.fields.Integer(strict=True, validate=ma.validate.Range(min=100)),
        required=True,
    )
    types = ma.fields.List(
        ma.fields.String(validate=ma.validate.OneOf(TYPES)),
        load_default=("image", "video"),
        validate=ma.validate.Length(min=1),
    )
    is_tags = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    dialect = ma.fields.String(load_default=None, validate=ma.validate.OneOf(DIALECTS))
    seconds = ma.fields.Integer(
        strict=True, load_default=5, validate=ma.validate.Range(min=1, max=60)
    )
    durations = ma.fields.List(
        ma.fields.Integer(strict=True, validate=ma.validate.Range(min=1, max=MAX_SHOT_SECONDS)),
        load_default=list,
    )
    shot_form = ma.fields.String(load_default=None, validate=ma.validate.OneOf(SHOT_FORMS))
    max_shots = ma.fields.Integer(
        strict=True, load_default=1, validate=ma.validate.Range(min=1, max=MAX_SHOTS)
    )
    max_negative = ma.fields.Integer(
        strict=True, load_default=None, validate=ma.validate.Range(min=1)
    )
    syntax = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(SYNTAX)), load_default=list)
    flags = ma.fields.List(ma.fields.String(), load_default=None)
    encoder = ma.fields.String(load_default=None, validate=ma.validate.OneOf(ENCODERS))
    max_tokens = ma.fields.Integer(
        strict=True, load_default=None, validate=ma.validate.Range(min=20)
    )
    note = ma.fields.String(load_default=None)
    understands_all = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})

    @ma.validates_schema
    def _check_lengths(self, target: dict[str, Any], **_: Any) -> None:
        if set(target["languages"]) != set(target["max_length"]):
            message = "Must have a length for each of the languages, and for no other."
            raise ma.ValidationError({"max_length": [message]})


class TargetsSchema(ma.Schema):
    """The file `config/targets.toml`."""

    targets = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(_TargetSchema), required=True
    )


def read_models(root: Path) -> tuple[list[Model], PriceList]:
    """Read `config/models.toml` below `root`: models and prices; raises SettingsError."""
    table = checked(CatalogueSchema, root, MODELS)
    problems = [
        f"{MODELS}, models.{name}.profile: Must be a file of {_FOLDERS[traits['kind']]} without"
        " its ending."
        for name, traits in table["models"].items()
        if traits["profile"]
        and not held_files.is_there(root / _FOLDERS[traits["kind"]] / f"{traits['profile']}.toml")
    ]
    if problems:
        raise SettingsError(problems)
    prices = prices_of(table["models"])
    models = [
        Model(
            name,
            **{trait: value for trait, value in traits.items() if trait != "prices"}
            | {
                "fallback": tuple(traits["fallback"]),
                "limits": Limits(**traits["limits"]),
                "parameters": frozenset(traits["parameters"]),
            },
        )
        for name, traits in table["models"].items()
    ]
    of_makers = {model.model or model.id for model in models if model.kind != CHAT}
    return models, PriceList(prices, of_makers)


def read_profiles(root: Path) -> dict[str, Profile]:
    """Read `config/profiles/*.toml` below `root`, by file name; raises SettingsError."""
    paths = held_files.names(root / PROFILES, "*.toml")
    profiles = {path.stem: _profile(root, PROFILES / path.name) for path in paths}
    if GENERIC not in profiles:
        raise SettingsError([f"{PROFILES / GENERIC}.toml is missing."])
    return profiles


def read_targets(root: Path) -> dict[str, Target]:
    """Read `config/targets.toml` below `root`: target models by name; raises SettingsError."""
    table = checked(TargetsSchema, root, TARGETS)["targets"]
    if GENERIC_TARGET not in table:
        raise SettingsError([f"{TARGETS}: targets.{GENERIC_TARGET} is missing."])
    return {
        name: Target(
            name,
            **traits
            | {
                "languages": tuple(traits["languages"]),
                "types": tuple(traits["types"]),
                "durations": tuple(sorted(set(traits["durations"]))),
                "syntax": frozenset(traits["syntax"]),
                "flags": None if traits["flags"] is None else frozenset(traits["flags"]),
            },
        )
        for name, traits in table.items()
    }


def _profile(root: Path, path: Path) -> Profile:
    table = checked(ProfileSchema, root, path)
    return Profile(
        name=path.stem,
        hosts=tuple(table["hosts"]),
        token_cap=table["token_cap"],
        has_developer_role=table["developer_role"],
        parameters=_names(table["parameters"]),
        json_modes=_names(table["json_modes"]),
        seeds=tuple(table["seeds"]),
        thinking=ThinkingWords(**table["thinking"]),
        counts_one_choice=table["usage_of_one_choice"],
        fetches_pictures=table["fetches_pictures"],
        messages=MessageForms(table["reasoning_back"], table["files"]),
        vision=vision_of(table["vision"]),
        responses=responses_of(table["responses"]),
        rules=tuple(
            ErrorRule(**rule | {"status": frozenset(rule["status"])}) for rule in table["errors"]
        ),
    )


def _names(listed: list[str] | None) -> frozenset[str] | None:
    return None if listed is None else frozenset(listed)
