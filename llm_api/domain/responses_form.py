"""A request as OpenAI's Responses API has it, beside its form as a chat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ResponsesForm:
    """A request in its own form, for upstreams that have the Responses API themselves.

    Args:
        parameters: the caller's document without `model`, `stream` and nulls. Items that it only
            refers to stand in it whole.
        lost: the fields that the chat form of the request leaves out.
        refusal: the error of a request that no chat can say; None of any other.
    """

    parameters: Mapping[str, Any]
    lost: tuple[str, ...] = ()
    refusal: Exception | None = None
