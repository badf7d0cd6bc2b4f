"""The field `language` of a request for a rewrite, and which targets limit it."""

from typing import Any

from llm_api.domain.prompts import GENERIC
from llm_api.web.rest.target_schemas import TARGETS
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
_OTHER = {"type": "string", "not": {"pattern": _LIMITED_LANGUAGES}}
_NAMES = {"enum": list(LIMITED_TARGETS)}
LIMITED_TARGET, _LIMITED_LIST = (
    {"not": {"required": [field, "language"], "properties": {field: named, "language": _OTHER}}}
    for field, named in (
        ("target_model", _NAMES),
        ("targets", {"type": "array", "contains": _NAMES}),
    )
)
LIMITED: list[dict[str, Any]] = [LIMITED_TARGET, _LIMITED_LIST]
