"""Under which names clients send pictures: `image`, `image[]`, `image[0]`, `images`, `mask`.

Some gateways know one of these names, and lose what comes under another. Here a file that has none
of them is refused.
"""

import re
from typing import Any

import orjson
from flask import Request

from llm_api.domain.safe_text import made_printable
from llm_api.errors import InvalidRequest
from llm_api.web.images.picture_bodies import Upload, held, read_json_or_form
from llm_api.web.request.body import StrictParser

_NAME = re.compile(r"images?(?:\[([0-9]{0,3})\])?")
_OPTIONS = "optimize_options"
_OPTION = re.compile(rf"{_OPTIONS}\[[a-z_]{{1,40}}\]")
_FLAGS = {"true": True, "false": False}
_KEYS = ("image_url", "url", "file_id")
# It may also stand in the query: LangChain reads links, and cannot ask for them in the body.
_QUERY = "response_format"
QUERY_PARAMETER = {
    "in": "query",
    "name": _QUERY,
    "schema": {"type": "string", "enum": ["b64_json", "url"]},
    "description": "Counts where the body has none, for clients that cannot put it there.",
}


def _with_pictures(incoming: Request) -> dict[str, Any]:
    """Return the body, with all pictures in a list under `image`."""
    document = read_json_or_form(incoming)
    found: list[tuple[int, Any]] = []
    others: dict[str, Any] = {}
    for name, value in document.items():
        if match := _NAME.fullmatch(name):
            items = value if isinstance(value, list) else [value]
            found += [(int(match[1] or 0), held(_plain(item))) for item in items]
        elif _has_file(value) and name not in {"mask", "mask[]"}:
            raise _unknown_file(name)
        else:
            others[name.removesuffix("[]") if name == "mask[]" else name] = value
    found.sort(key=lambda pair: pair[0])  # stable: those without a number stay in their order
    pictures = [picture for _, picture in found if picture not in (None, "")]
    if others.get("mask") == "":
        del others["mask"]
    form = incoming.args.get(_QUERY)
    if form is not None and others.get(_QUERY) is None:
        others[_QUERY] = form
    return _with_options(others) | ({"image": pictures} if pictures else {})


def _with_options(fields: dict[str, Any]) -> dict[str, Any]:
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


# For flask-smorest: how the bodies of the image routes are read.
PARSER = StrictParser(_with_pictures)


def _plain(item: Any) -> Any:
    """Return a picture that stands in an object, as in `{"image_url": "https://…"}`."""
    for key in _KEYS:
        if isinstance(item, dict) and key in item:
            return _plain(item[key])
    return item


def _has_file(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, Upload) for item in items)


def _unknown_file(name: str) -> InvalidRequest:
    return InvalidRequest.of_field(
        made_printable(name[:64]),
        "must not be a file: pictures are named image, image[] or mask.",
        reason="unknown_field",
    )
