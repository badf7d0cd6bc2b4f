"""Under which names clients send the picture that a film begins with.

openai-python and openai-node send a file of a form, or `input_reference[image_url]`; others send an
object or a text in JSON. A file under a name that has none is refused.
"""

import re
from typing import Any

from flask import Request

from llm_api.domain.videos import FIRST_FRAME
from llm_api.web.making.picture_bodies import FRAME_NAMES, held, read_json_or_form
from llm_api.web.openai.form_names import has_file, plain_picture, unknown_file, with_options
from llm_api.web.request.body import StrictParser

REFERENCE = "input_reference"
_NAMES = f"{REFERENCE}, last_frame or reference_images[]"
_NAME = re.compile(rf"({REFERENCE}|{FIRST_FRAME}|last_frame)(?:\[(?:image_url|url|file_id|)\])?")
# Of other services' pictures: without them it would be another film.
_OTHER_NAMES = frozenset(["image", "images", "image_url", "image[]", "first_frame_image", "mask"])
_LIST = re.compile(r"(reference_(?:images|videos|audios))(?:\[[0-9]{0,3}\])?")


def _with_frames(incoming: Request) -> dict[str, Any]:
    """Return the body, with each picture under the one name of its field."""
    document: dict[str, Any] = {}
    for name, value in read_json_or_form(incoming, FRAME_NAMES).items():
        if match := _NAME.fullmatch(name):
            field = REFERENCE if match[1] == FIRST_FRAME else match[1]
            if value != "" or field not in document:
                document[field] = _held(value) if value != "" else None
        elif value is not None and (match := _LIST.fullmatch(name)):
            items = value if isinstance(value, list) else [value]
            document[match[1]] = [*document.get(match[1], ()), *map(_held, items)]
        elif value is not None and (name in _OTHER_NAMES or has_file(value) or _is_shown(value)):
            raise unknown_file(name, _NAMES)
        else:
            document[name] = value
    return with_options(document)


def _is_shown(value: Any) -> bool:
    """Whether a value is a picture as a data URI, or has one in a list."""
    items = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and one.startswith("data:image/") for one in items)


def _held(value: Any) -> Any:
    return held(plain_picture(value))


# For flask-smorest: how the bodies of the routes of films are read.
PARSER = StrictParser(_with_frames)
