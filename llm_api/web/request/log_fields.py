"""What the log line says of a request that no route is for."""

import re
from collections.abc import Mapping

from flask import Request

from llm_api.domain.key_format import KeySpotter

_MAX_PARTS = 8
_HIDDEN = "*"
# Names, ids and versions; sentences and most keys of vendors are neither.
_PART = re.compile(r"[A-Za-z0-9._:@~-]{0,32}")
_PRODUCT = re.compile(r"[A-Za-z0-9._+/@-]{1,64}")


def fields_of_unknown(incoming: Request, spotter: KeySpotter) -> Mapping[str, str]:
    """Return `path` and `client`: without query, cut, and without what could be private.

    Some clients put prompts and keys into paths: a part that is no plain name is a `*`.
    """
    path, agent = incoming.path[:512], incoming.headers.get("User-Agent", "")[:512]
    parts = path.split("/")
    shown = [part if _PART.fullmatch(part) else _HIDDEN for part in parts[: _MAX_PARTS + 1]]
    product = _PRODUCT.match(agent)
    return {
        "path": _HIDDEN if spotter.sees_key(path) else "/".join(shown),
        "client": product[0] if product and not spotter.sees_key(agent) else "",
    }
