"""How a streamed response fails: an `error` event, and `response.failed` behind it.

Codex reads only the latter, and OpenAI's SDKs raise at the former. By its code agents decide
whether they send the request once more: `server_is_overloaded`, `insufficient_quota`,
`invalid_prompt` and `context_length_exceeded` end it. With all others Codex 0.171 asks six times,
after the time that the message names as "try again in 5s" where the code is `rate_limit_exceeded`
or `slow_down`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from llm_api.errors import ApiError, RateLimited
from llm_api.web.response.error_formats import is_final
from llm_api.web.response.sse import KeepAlive

_SAME_NAME = ("context_length_exceeded", "insufficient_quota")
_FAILED = b"\nevent: response.failed\n"
# A line that SDKs pass over; without a blank line behind it, as openai-go before 3.43 ends at one.
PING = KeepAlive(b": ping\n")
# What is known of a response that failed before its first event; SDKs want every one of these.
_NOTHING_BEGUN: Mapping[str, Any] = {
    "object": "response",
    "created_at": 0,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "",
    "output": [],
    "parallel_tool_calls": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "usage": None,
}


def failure_events(response: Mapping[str, Any], error: ApiError, number: int) -> bytes:
    """Write the two events that end a stream with an error.

    Args:
        response: the response object as it was sent last, with the output so far.
        error: what went wrong.
        number: the sequence number of the first of the two.
    """
    said = {"code": error.reason, "message": error.message, "param": None}
    # OpenAI's own event is flat. Its SDK for Python raises only where there is an `error` in it,
    # and passes over the flat one: agno 3.1 and haystack 3.4 take half a text for the answer.
    nested = {"type": error.reason, **said}
    told = {"type": "error", **said, "error": nested, "sequence_number": number}
    failed = {
        "type": "response.failed",
        "response": {**response, "status": "failed", "error": failure_of(error)},
        "sequence_number": number + 1,
    }
    return written(told) + written(failed)


def failure_of(error: ApiError) -> dict[str, str]:
    """Return the `error` of a response that failed."""
    code = _code_of(error)
    message = error.message
    if code in ("rate_limit_exceeded", "slow_down"):
        message = f"{message} Please try again in {error.retry_after or 1}s."
    return {"code": code, "message": message}


def _code_of(error: ApiError) -> str:
    if error.reason in _SAME_NAME:
        return error.reason
    if isinstance(error, RateLimited):
        return "insufficient_quota" if is_final(error) else "rate_limit_exceeded"
    if error.status < 500:
        return "invalid_prompt"
    if is_final(error):
        return "server_is_overloaded"
    return "slow_down" if error.retry_after is not None else "server_error"


def written(event: Mapping[str, Any]) -> bytes:
    """Write an event of a response, which has its type, as one of a stream."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


class ResponsesForm:
    """The form of streamed responses, for those who follow another client's stream."""

    def keep_alive(self, _sent: bytes) -> KeepAlive:
        """Write a comment."""
        return PING

    def has_failed(self, sent: bytes) -> bool:
        """Look for the event of a failure, at the beginning of a line, where no text can be."""
        return _FAILED in b"\n" + sent

    def broken(self, first: bytes, last: bytes, error: ApiError, request_id: str) -> bytes:
        """Write the events of a failure behind the last one that was sent."""
        if not first:
            return failure_events({**_NOTHING_BEGUN, "id": f"resp_{request_id}"}, error, 0)
        begun, number = _events_of(first), _events_of(last)[-1]["sequence_number"] + 1
        return failure_events(begun[0]["response"], error, number)


RESPONSES_FORM = ResponsesForm()


def _events_of(sent: bytes) -> list[dict[str, Any]]:
    lines = [line for line in sent.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines]
