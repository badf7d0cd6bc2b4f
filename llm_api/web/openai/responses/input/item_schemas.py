"""What items of a conversation may be: their kinds, and what each must have.

What a kind has beside that is passed over, as clients send back whole what they were answered.

Source: `ResponseInputItemParam` of openai-python 3.54.0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import marshmallow as ma

from llm_api.web.openai.messages import DOCUMENTED_IMAGE, rule_of
from llm_api.web.openai.responses.input.tool_schemas import TOOLS_DOCUMENT
from llm_api.web.schema_fields import AnyOf, list_length

ROLES = ("user", "assistant", "system", "developer")
MESSAGE, REASONING, REFERENCE = "message", "reasoning", "item_reference"
CALL, CUSTOM_CALL = "function_call", "custom_tool_call"
OUTPUT, CUSTOM_OUTPUT = "function_call_output", "custom_tool_call_output"
MORE_TOOLS, COMPACTION = "additional_tools", "compaction"
# Of tools that OpenAI runs, or that a client has only for OpenAI's models: left out.
LEFT_OUT = (
    *("file_search_call", "web_search_call", "computer_call", "computer_call_output"),
    *("code_interpreter_call", "image_generation_call", "local_shell_call"),
    *("local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call"),
    *("apply_patch_call_output", "mcp_list_tools", "mcp_approval_request", "mcp_call"),
    *("mcp_approval_response", "tool_search_call", "tool_search_output", "program"),
    *("program_output", "configuration_update"),
)
# The texts that each other kind must have.
TEXTS: Mapping[str, tuple[str, ...]] = {
    CALL: ("call_id", "name", "arguments"),
    CUSTOM_CALL: ("call_id", "name", "input"),
    OUTPUT: ("call_id",),
    CUSTOM_OUTPUT: ("call_id",),
    REFERENCE: ("id",),
    REASONING: (),
    COMPACTION: (),
    MORE_TOOLS: (),
}
KINDS = (MESSAGE, *TEXTS, *LEFT_OUT)
# What has a text, by the name of the field; messages of other APIs call it `text`.
TEXT_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("input_text", "output_text", "text"), "text"),
    **dict.fromkeys(("summary_text", "reasoning_text"), "text"),
    "refusal": "refusal",
}
IMAGE, FILE, AUDIO = "input_image", "input_file", "input_audio"
PART_KINDS = (*TEXT_PARTS, IMAGE, FILE, AUDIO)
OF_A_FILE = ("file_data", "file_url", "file_id")
MAX_ITEMS = 8_192
MAX_PARTS = 256
_STRING = {"type": "string"}
_NO_TYPE = {"properties": {"type": {"enum": [None]}}}


def _having(texts: tuple[str, ...]) -> dict[str, Any]:
    return {"required": list(texts), "properties": dict.fromkeys(texts, _STRING)}


_AUDIO_RULE = {
    "required": [AUDIO],
    "properties": {AUDIO: {"type": "object", **_having(("data", "format"))}},
}
_IMAGE_RULE = {
    "anyOf": [
        {"required": ["image_url"], "properties": {"image_url": DOCUMENTED_IMAGE}},
        {
            "required": ["file_id"],
            "properties": {"file_id": _STRING, "image_url": {"enum": [None]}},
        },
    ]
}


class ResponsesPartSchema(ma.Schema):
    """A part of a message, of what a tool has answered, or of what a model thought."""

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document."""

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                *(rule_of([kind], _having((name,))) for kind, name in TEXT_PARTS.items()),
                rule_of([IMAGE], _IMAGE_RULE),
                rule_of([FILE], {"anyOf": [_having((name,)) for name in OF_A_FILE]}),
                rule_of([AUDIO], _AUDIO_RULE),
            ]
        }

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(PART_KINDS))


_PARTS_DOCUMENT = {
    "type": "array",
    "maxItems": MAX_PARTS,
    "items": {"$ref": "#/components/schemas/ResponsesPart"},
}
_AS_MESSAGE = {
    "required": ["role", "content"],
    "properties": {"role": {"enum": list(ROLES)}, "content": {"type": ["string", "array"]}},
}
_AS_OUTPUT = {
    "required": ["call_id", "output"],
    "properties": {"call_id": _STRING, "output": {"anyOf": [_STRING, _PARTS_DOCUMENT]}},
}
_WITH_TOOLS = {"required": ["tools"], "properties": {"tools": TOOLS_DOCUMENT}}
_ITEM_RULES: tuple[dict[str, Any], ...] = (
    *(rule_of([kind], _having(TEXTS[kind])) for kind in (CALL, CUSTOM_CALL, REFERENCE)),
    rule_of([OUTPUT, CUSTOM_OUTPUT], _AS_OUTPUT),
    rule_of([MESSAGE], _AS_MESSAGE),
    rule_of([MORE_TOOLS], _WITH_TOOLS),
    {"if": {**_NO_TYPE, "required": ["role"]}, "then": _AS_MESSAGE},
    {"if": {**_NO_TYPE, "not": {"required": ["role"]}}, "then": _having(("id",))},
)


def _chained(rules: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return rules of which one applies at most, each in the `else` of the one before it.

    Of ten that stand beside one another schemathesis makes no requests.
    """
    first, *others = rules
    return {**first, "else": _chained(others)} if others else first


class ResponsesItemSchema(ma.Schema):
    """A part of the conversation; without `type` it is a message, or a reference by its `id`.

    A call and its output are two items with one `call_id`. An `item_reference` stands for an item
    of an answer of the last hour, unless that was asked for with `store: false`.
    """

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document."""

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = _chained(_ITEM_RULES)

    type = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(KINDS))
    content = AnyOf(
        ma.fields.String(),
        ma.fields.List(ma.fields.Nested(ResponsesPartSchema), validate=list_length(0, MAX_PARTS)),
        allow_none=True,
    )
