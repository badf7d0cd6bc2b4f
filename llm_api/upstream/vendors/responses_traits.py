"""What vendors take that have OpenAI's Responses API themselves, and requests adapted to it.

Nothing is stored there: a key of the service is many callers', who must not find each other's
conversations. Ids of items are looked up in what was stored, so that OpenAI answers 404 to a
thought that has its id and is not sent whole, and 400 to an answer whose thought is missing:
https://github.com/router-for-me/CLIProxyAPI/pull/4285, https://github.com/vercel/ai/pull/13211 and
https://github.com/NousResearch/hermes-agent/pull/102282. Without ids they are taken.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_api.upstream.vendors.thinking import LEVELS, ThinkingWords

# OpenAI's fields, by https://platform.openai.com/docs/api-reference/responses/create and the types
# of openai-python 3.54.
_FIELDS = frozenset(
    [
        *("access_programs", "context_management", "image", "include", "input", "instructions"),
        *("max_output_tokens", "max_tool_calls", "metadata", "moderation", "parallel_tool_calls"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "service_tier", "stream_options", "temperature", "text"),
        *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
    ]
)
# Of what the vendor keeps: it would be found by every caller.
_STORED = frozenset(
    ["background", "background_options", "conversation", "previous_response_id", "prompt"]
)
_OURS = frozenset(["model", "store", "stream"])  # what the service says itself
_NAMED_BY_ID = frozenset(["custom_tool_call", "function_call", "message", "reasoning"])


@dataclass(frozen=True, slots=True)
class ResponsesTraits:
    """What a vendor's own Responses API takes.

    Args:
        parameters: the fields, None for all of OpenAI's.
        tools: the types of tools, None for all. A request with another one is sent as a chat,
            where every tool is a function.
    """

    parameters: frozenset[str] | None = None
    tools: frozenset[str] | None = None

    def takes(self, parameters: Mapping[str, Any], *, is_inside: bool) -> bool:
        """Whether a request can be sent in its own form.

        `is_inside`: the upstream may fetch addresses from inside of the operator's network.
        """
        tools = _objects(parameters.get("tools"))
        kinds = [str(tool.get("type")) for tool in tools]
        if self.tools is not None and not self.tools.issuperset(kinds):
            return False
        return not is_inside or not ("mcp" in kinds or _has_file_address(parameters.get("input")))

    def adapted(
        self,
        parameters: Mapping[str, Any],
        thinking: ThinkingWords,
        *,
        has_developer_role: bool,
        passes_unknown: bool,
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the parameters as the vendor takes them, and the names of those left out.

        `thinking` knows the vendor's levels; an effort that is none of them becomes the nearest.
        """
        taken = _FIELDS if self.parameters is None else self.parameters
        unwanted = {
            name
            for name in parameters
            if name in _STORED | _OURS or not (name in taken or passes_unknown)
        }
        body = {
            name: value
            for name, value in parameters.items()
            # agents sends `include: []`, and xAI refuses the name: nothing is asked for.
            if name not in unwanted and value != []
        }
        if isinstance(body.get("input"), list):
            body["input"] = list(_settled(body["input"], has_developer_role=has_developer_role))
        reasoning = body.get("reasoning")
        if isinstance(reasoning, dict) and reasoning.get("effort") in LEVELS:
            body["reasoning"] = reasoning | {"effort": thinking.nearest(reasoning["effort"])}
        lost = unwanted - _OURS
        dropped = tuple(name for name, value in parameters.items() if value and name in lost)
        return body | {"store": False}, dropped


def _settled(items: list[Any], *, has_developer_role: bool) -> Iterator[Any]:
    """Yield the items of an input without what is looked up by its id."""
    for item in items:
        if not isinstance(item, dict):
            yield item
            continue
        kind = item.get("type", "message")
        if kind == "reasoning" and not item.get("encrypted_content"):
            continue
        settled = dict(item)
        if kind in _NAMED_BY_ID:
            settled.pop("id", None)
        if item.get("role") == "developer" and not has_developer_role:
            settled["role"] = "system"
        yield settled


def _has_file_address(items: object) -> bool:
    """Whether an input has a file that is given by its address."""
    parts = (part for item in _objects(items) for part in _parts(item))
    return any(part.get("file_url") is not None for part in parts)


def _parts(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a message, and of what a tool has put out."""
    yield from _objects(item.get("content"))
    yield from _objects(item.get("output"))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
