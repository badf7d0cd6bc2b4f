"""Finds the field of a request that an upstream's error blames."""

import re
from collections.abc import Iterator

from llm_api.upstream.vendors.error_body import VendorError

CAP = re.compile(r"max_?(?:completion_?|output_?|new_?)?tokens|max tokens", re.IGNORECASE)
# Fields of requests that need no marks around them to be known in a sentence.
_SPOKEN = (
    "audio|best_of|chat_template_kwargs|developer|dimensions|do_sample|echo|enable_search"
    "|enable_thinking|encoding_format|frequency_penalty|function_call|functions|guided_\\w+"
    "|image_url|include_reasoning|input_audio|logit_bias|logprobs|messages|metadata|min_p"
    "|min_tokens|modalities|model|n|parallel_tool_calls|prediction|presence_penalty"
    "|prompt_cache_key|reasoning_effort|reasoning_split|repetition_penalty|response_format"
    "|safety_identifier|seed|service_tier|stop|stop_token_ids|store|stream_options|suffix"
    "|temperature|thinking|thinking_budget|thinking_token_budget|tool_choice|tools|top_a|top_k"
    "|top_logprobs|top_p|user|user_id|verbosity|web_search_options"
)
_FIELD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\[\d{1,4}\]|\.[a-z][a-z0-9_]*){0,8}")
_QUOTED = re.compile(rf"[`'\"](?:body\.)?({_FIELD.pattern})[`'\"]")
# Pydantic's places where a server writes Python: 'loc': ('body', 'stop').
_PLACE = re.compile(r"['\"]loc['\"]: ?[\[(]['\"]body['\"], ?['\"]([a-z_]{1,60})['\"]")
# A place in a request, as Anthropic writes it: messages.1.content.0.
_PATH = re.compile(
    r"(?:\A|[\s'\"`])((?:messages|tools|functions|input|response_format)(?:\.\w+){1,8})\b"
)
# A word that is one of them and no other: with an underscore, quoted, or in the place of one.
_NAMED = re.compile(
    rf"(?<![\w.'’-])(?=[a-z]+_)({_SPOKEN})(?![\w-])"
    rf"|[`'\"“‘「]({_SPOKEN})[`'\"”’」]"
    rf"|(?:\A|: |\. |参数|字段|不支持|设置"
    r"|(?:parameter|field|argument|value (?:of|for)|invalid) )\s?[`'\"]?"
    rf"({_SPOKEN})(?![\w-])[`'\"]?(?=\s?(?:[:：,，]|\Z|\.\Z|参数|字段|取值|的值|非法|无效|必须|不能|不支持|超"
    r"|(?:parameter|value|field|must|should|is|are|was|has|may|can|cannot|not|needs|and|or|out of"
    r"|exceeds|does)\b))",
    re.IGNORECASE,
)
# What a refusal names that is no field: values and kinds of values.
_NO_FIELDS = frozenset(
    ["true", "false", "null", "none", "auto", "required", "string", "object", "array", "number",
     "integer", "boolean", "user", "system", "assistant", "developer", "tool", "text", "json",
     "image_url", "json_object", "json_schema", "error", "body", "value_error", "type_error"]
)  # fmt: skip


def blamed_field(sent: VendorError) -> str | None:
    """Return the field that an upstream blames, None if it names none."""
    if sent.param is not None and _FIELD.fullmatch(sent.param):
        name: str | None = sent.param
    else:
        name = next(_names(sent.message), None)
    return None if name is None or len(name) > 60 else name


def _names(message: str) -> Iterator[str]:
    """Yield what a sentence may mean, the surest first."""
    yield from (found[1] for found in _PLACE.finditer(message))
    yield from (found[1] for found in _PATH.finditer(message))
    quoted = (found[1] for found in _QUOTED.finditer(message))
    yield from (name for name in quoted if name not in _NO_FIELDS and "_" in name)
    named = (found[found.lastindex or 0].lower() for found in _NAMED.finditer(message))
    yield from (name for name in named if name not in _NO_FIELDS)
