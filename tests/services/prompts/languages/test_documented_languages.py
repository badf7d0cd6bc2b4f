"""The API document allows the languages that the service takes, for every target."""

import itertools

import jsonschema_rs
import marshmallow as ma

from llm_api.errors import InvalidRequest
from llm_api.services.prompts.task import read_task
from llm_api.settings.config_files import read_targets
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.web.rest.prompt_languages import LANGUAGE_PATTERN
from llm_api.web.rest.prompt_schemas import PromptRequestSchema
from llm_api.web.rest.target_schemas import TARGETS

TAGS = (
    *("auto", "AUTO", "und", "UND", "und-Latn", "en", "EN", "en-US", "zh", "ZH-hant", "zh-TW"),
    *("cmn", "yue", "wuu", "es", "pt-BR", "ja", "no", "e", "abcd", "auto-x", "en-a", "fr\n"),
)
CONFIGURED = read_targets(PROJECT_ROOT)
RULES = {
    "properties": {"language": {"type": "string", "pattern": LANGUAGE_PATTERN}},
    **PromptRequestSchema.Meta.rules,
}


def made_by(target: str) -> str:
    """Return a type that a target makes."""
    return "image" if "image" in CONFIGURED[target].types else "video"


def is_taken(document: dict[str, object], target: str) -> bool:
    try:
        read_task(PromptRequestSchema().load(document), CONFIGURED[target])
    except (ma.ValidationError, InvalidRequest):
        return False
    return True


def test_what_is_allowed_is_taken_and_what_is_forbidden_is_not() -> None:
    document = jsonschema_rs.Draft202012Validator(RULES)
    bodies = [
        {"prompt": "a cat", "type": made_by(target), "target_model": target, "language": tag}
        for target, tag in itertools.product(TARGETS, TAGS)
        if not {"image", "video"}.isdisjoint(CONFIGURED[target].types)
    ]

    differing = [
        body for body in bodies if document.is_valid(body) != is_taken(body, body["target_model"])
    ]

    assert differing == []
