"""Under which names clients send pictures: `image`, `image[]`, `image[0]`, `images`, `mask`.

Some gateways know one of these names, and lose what comes under another. Here a file that has none
of them is refused.
"""

import re
from typing import Any

from flask import Request

from llm_api.web.making.picture_bodies import held, read_json_or_form
from llm_api.web.openai.form_names import has_file, plain_picture, unknown_file, with_options
from llm_api.web.request.body import StrictParser

_NAME = re.compile(r"images?(?:\[([0-9]{0,3})\])?")
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
            found += [(int(match[1] or 0), held(plain_picture(item))) for item in items]
        elif has_file(value) and name not in {"mask", "mask[]"}:
            raise unknown_file(name, "image, image[] or mask")
        else:
            others[name.removesuffix("[]") if name == "mask[]" else name] = value
    found.sort(key=lambda pair: pair[0])  # stable: those without a number stay in their order
    pictures = [picture for _, picture in found if picture not in (None, "")]
    if others.get("mask") == "":
        del others["mask"]
    form = incoming.args.get(_QUERY)
    if form is not None and others.get(_QUERY) is None:
        others[_QUERY] = form
    return with_options(others) | ({"image": pictures} if pictures else {})


# For flask-smorest: how the bodies of the image routes are read.
PARSER = StrictParser(_with_pictures)
