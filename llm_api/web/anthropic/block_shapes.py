"""What the blocks of a conversation must have, and the settings of a request.

Source: the types of the anthropic package 2.14.0 and
https://platform.claude.com/docs/en/api/messages
"""

from llm_api.upstream.vendors.thinking import LEVELS
from llm_api.web.anthropic.shapes import (
    Choice,
    Count,
    Flag,
    Items,
    Record,
    Shape,
    Tagged,
    Text,
    TextOr,
)

MAX_MESSAGES = 4_096
MAX_BLOCKS = 1_024  # of one message
_MAX_TOOLS = 1_024
_MAX_STOPS = 1_024

_ANY_TEXT = Text()
_NAME = Text(1, expected="a string of at least 1 character")
_OBJECT = Record()
_MEDIA_TYPE = Text(
    pattern="^image/[a-zA-Z0-9.+-]{1,64}$",
    expected="the media type of an image, such as image/png",
)
_ADDRESS = Text(
    pattern="^([Dd][Aa][Tt][Aa]:[Ii][Mm][Aa][Gg][Ee]/|[Hh][Tt][Tt][Pp][Ss]?://)",
    expected="a data:image/ URI or an http(s):// address",
    reason="invalid_url",
)
_PDF = Choice(("application/pdf",))

TEXT = Record({"text": _ANY_TEXT})
_IMAGE = Record(
    {
        "source": Tagged(
            {
                "base64": Record({"media_type": _MEDIA_TYPE, "data": _ANY_TEXT}),
                "url": Record({"url": _ADDRESS}),
            }
        )
    }
)
_TEXT_AND_IMAGES = Items(Tagged({"text": TEXT, "image": _IMAGE}), MAX_BLOCKS)
_TEXTS = Items(Tagged({"text": TEXT}), MAX_BLOCKS)
_DOCUMENT = Record(
    {
        "source": Tagged(
            {
                "base64": Record({"media_type": _PDF, "data": _ANY_TEXT}),
                "text": Record({"data": _ANY_TEXT}),
                "content": Record({"content": TextOr(_TEXT_AND_IMAGES)}),
            }
        )
    },
    {"title": _ANY_TEXT, "context": _ANY_TEXT},
)
_FOUND = Record({"title": _ANY_TEXT, "source": _ANY_TEXT, "content": _TEXTS})
# What people and tools can show a model.
_SHOWN = {"text": TEXT, "image": _IMAGE, "document": _DOCUMENT, "search_result": _FOUND}
_OF_RESULTS = {**_SHOWN, "tool_reference": Record({"tool_name": _ANY_TEXT})}
_RESULT = Record(
    {"tool_use_id": _NAME},
    {"content": TextOr(Items(Tagged(_OF_RESULTS), MAX_BLOCKS)), "is_error": Flag()},
)
# Others, of tools that Anthropic's servers run, are left out of what the model gets.
_WRITTEN = {
    "text": TEXT,
    "tool_use": Record({"id": _NAME, "name": _NAME, "input": _OBJECT}),
    "thinking": Record({"thinking": _ANY_TEXT}),
}


def _message(blocks: Tagged) -> Record:
    return Record({"content": TextOr(Items(blocks, MAX_BLOCKS))})


MESSAGES: Items = Items(
    Tagged(
        {
            "user": _message(Tagged({**_SHOWN, "tool_result": _RESULT})),
            "assistant": _message(Tagged(_WRITTEN, has_others=True)),
            "system": _message(Tagged({"text": TEXT})),
        },
        tag="role",
    ),
    MAX_MESSAGES,
    1,
)
SYSTEM: Shape = TextOr(_TEXTS)
STOP_SEQUENCES: Shape = Items(_NAME, _MAX_STOPS)
METADATA: Shape = Record({}, {"user_id": _ANY_TEXT})

CUSTOM = "custom"
TOOLS = Items(
    Tagged(
        {
            CUSTOM: Record(
                {"name": _NAME, "input_schema": _OBJECT},
                {"description": _ANY_TEXT, "strict": Flag()},
            )
        },
        default=CUSTOM,
        has_others=True,
    ),
    _MAX_TOOLS,
)
_ALONE = {"disable_parallel_tool_use": Flag()}
TOOL_CHOICE: Shape = Tagged(
    {
        "auto": Record({}, _ALONE),
        "any": Record({}, _ALONE),
        "tool": Record({"name": _NAME}, _ALONE),
        "none": Record(),
    }
)
_SHOWS = {"display": Choice(("summarized", "omitted"))}
THINKING: Shape = Tagged(
    {
        "enabled": Record({"budget_tokens": Count()}, _SHOWS),
        "adaptive": Record({}, _SHOWS),
        "between_tools": Record(),
        "disabled": Record(),
    }
)
OUTPUT_CONFIG: Shape = Record(
    {},
    {
        "format": Tagged({"json_schema": Record({"schema": _OBJECT})}),
        "effort": Choice(LEVELS),
    },
)
