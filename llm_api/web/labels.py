"""The labels that a client gives a call, for usage reports."""

import re
from collections.abc import Sequence

from flask import request

from llm_api.domain.key_format import KeySpotter
from llm_api.domain.usage import joined_tags
from llm_api.errors import InvalidRequest

MAX_TAGS = 10
_TAG = re.compile(r"[A-Za-z0-9_.:=/@-]{1,40}")
_LINEAGE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def usage_tags(spotter: KeySpotter, of_key: Sequence[str] = ()) -> str:
    """Read `X-Usage-Tags`: names such as team=video, separated by commas; add those of the key.

    Raises InvalidRequest.
    """
    text = request.environ.get("HTTP_X_USAGE_TAGS")
    if not text:
        return joined_tags(of_key)
    tags = [tag.strip() for tag in text.split(",")]
    is_good = len(tags) <= MAX_TAGS and all(map(_TAG.fullmatch, tags))
    if not is_good or spotter.sees_key(text):
        raise InvalidRequest.of_field(
            "X-Usage-Tags",
            f"must be at most {MAX_TAGS} tags of 1 to 40 letters, digits and _.:=/@- signs,"
            " separated by commas, and no API key.",
            reason="out_of_range",
        )
    return joined_tags([*tags, *of_key])


def lineage_id(spotter: KeySpotter) -> str | None:
    """Read `X-Lineage-Id`, which calls that belong together share. Raises InvalidRequest."""
    text = request.environ.get("HTTP_X_LINEAGE_ID")
    if not text:
        return None
    if not _LINEAGE.fullmatch(text) or spotter.sees_key(text):  # it is kept, and a key must not be
        raise InvalidRequest.of_field(
            "X-Lineage-Id",
            "must be 1 to 64 letters, digits and _.:- signs, and no API key.",
            reason="out_of_range",
        )
    return str(text)
