"""The field `language` of a request for a rewrite, and which targets limit it."""

from collections.abc import Sequence
from typing import Any

from llm_api.domain.prompts import GENERIC
from llm_api.web.rest.target_schemas import TARGETS, named_targets
from llm_api.web.schema_fields import LANGUAGE_PATTERN

LANGUAGE_METADATA = {
    "description": "Of the rewrite, as a tag of BCP 47 that the target understands; auto is the"
    " prompt's own, if the target understands it.",
    "pattern": LANGUAGE_PATTERN,
    "example": "auto",
}
# Targets that are only written to in English, and in Chinese of every kind: those of
# config/targets.toml without `understands_all`; a test holds them together.
LIMITED_TARGETS = tuple(name for name in TARGETS if name != GENERIC)
_LIMITED_LANGUAGES = (
    "^(auto|([eE][nN]|[zZ][hH]|[cC][mM][nN]|[yY][uU][eE]|[wW][uU][uU]|[uU][nN][dD])(-.*)?)$"
)
# For the API document.
_KNOWN = {"language": {"pattern": _LIMITED_LANGUAGES}}
LIMITED_TARGET: dict[str, Any] = {
    "not": {
        "required": ["target_model", "language"],
        "properties": {
            "target_model": {"enum": list(LIMITED_TARGETS)},
            "language": {"type": "string", "not": {"pattern": _LIMITED_LANGUAGES}},
        },
    }
}


def by_language(rule: dict[str, Any], able: Sequence[str]) -> list[dict[str, Any]]:
    """Return a rule of a request twice: for any language, and for targets that know two of them.

    `able` are the target models of such requests.
    """
    any_language = named_targets(rule, [GENERIC])
    two_languages = named_targets(rule, able)
    two_languages["properties"] |= _KNOWN
    return [any_language, two_languages]
