"""What forms and objects of pictures have in common, whichever route they are sent to."""

import re
from typing import Any

import orjson

from llm_api.domain.safe_text import made_printable
from llm_api.errors import InvalidRequest
from llm_api.web.making.picture_bodies import Upload

_OPTIONS = "optimize_options"
_OPTION = re.compile(rf"{_OPTIONS}\[[a-z_]{{1,40}}\]")
_FLAGS = {"true": True, "false": False}
_KEYS = ("image_url", "url", "file_id")


def with_options(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with the optimizer's options as an object, which a form cannot have.

    openai-python writes `optimize_options[style]`, other clients write JSON.
    """
    named = [name for name in fields if _OPTION.fullmatch(name)]
    if named:
        others = {name: value for name, value in fields.items() if name not in named}
        options = {name[len(_OPTIONS) + 1 : -1]: _flag(fields[name]) for name in named}
        return others | {_OPTIONS: options}
    if not isinstance(text := fields.get(_OPTIONS), str):
        return fields
    try:
        return fields | {_OPTIONS: orjson.loads(text)}
    except orjson.JSONDecodeError:
        return fields  # the schema says that it must be an object


def _flag(value: Any) -> Any:
    return _FLAGS.get(value, value) if isinstance(value, str) else value


def plain_picture(item: Any) -> Any:
    """Return a picture that stands in an object, as in `{"image_url": "https://…"}`."""
    for key in _KEYS:
        if isinstance(item, dict) and key in item:
            return plain_picture(item[key])
    return item


def has_file(value: Any) -> bool:
    """Whether a value of a form is a file, or has one."""
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, Upload) for item in items)


def unknown_file(name: str, names: str) -> InvalidRequest:
    """Make the error for a picture under a name of none; `names` are those of pictures."""
    return InvalidRequest.of_field(
        made_printable(name[:64]),
        f"must be no picture: those are named {names}.",
        reason="unknown_field",
    )
