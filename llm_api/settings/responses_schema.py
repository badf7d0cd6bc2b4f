"""The table `[responses]` of a vendor profile."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from llm_api.settings.vision_schema import names
from llm_api.upstream.vendors.responses_traits import ResponsesTraits


class ResponsesSchema(ma.Schema):
    """What a vendor's own Responses API takes; without the table it has none."""

    parameters = names(load_default=None)
    tools = names(load_default=None)


def responses_of(table: Mapping[str, Any] | None) -> ResponsesTraits | None:
    """Return what such a table says, None where there is none."""
    if table is None:
        return None
    return ResponsesTraits(
        **{name: None if listed is None else frozenset(listed) for name, listed in table.items()}
    )
