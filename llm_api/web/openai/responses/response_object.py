"""The response object: what a response's events say of the whole, and the answer in one piece.

Source: https://platform.openai.com/docs/api-reference/responses/object.
"""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from llm_api.domain.calls import ModelRequest, TextLength, TokenUsage
from llm_api.services.quotas.estimates import estimate_length, estimate_request
from llm_api.web.dialects.pieces import pieces_of
from llm_api.web.openai.responses.input.tool_names import ToolNames
from llm_api.web.openai.responses.output import Output
from llm_api.web.openai.responses.output_items import COMPLETED, IN_PROGRESS, Tell


class ResponseObject:
    """One response while its output comes in."""

    def __init__(
        self,
        request: ModelRequest,
        tools: ToolNames,
        echo: Mapping[str, Any],
        tell: Tell = None,
    ) -> None:
        """Create the response to a request.

        Args:
            request: as the model gets it.
            tools: the client's tools, by the names that the model is told.
            echo: the fields of the request that the response repeats.
            tell: gets the events of the output, if anybody does.
        """
        token = secrets.token_hex(12)
        self.output = Output(token, tools, tell, has_summary=_wants_summary(echo))
        self._request = request
        self._head = {
            "id": f"resp_{token}",
            "object": "response",
            "created_at": int(time.time()),
            "status": IN_PROGRESS,
            "error": None,
            "incomplete_details": None,
            **echo,
            "model": request.model or "",
            "output": [],
            "usage": None,
        }

    def name(self, answer: Mapping[str, Any]) -> None:
        """Name the model that an answer of the upstream is of, and why it is of another."""
        names = {name: answer[name] for name in ("model", "fallback") if answer.get(name)}
        self._head.update(names)

    def document(self) -> dict[str, Any]:
        """Return the response as it is at the beginning."""
        return self._head

    def failed(self) -> dict[str, Any]:
        """Return the response with the output so far."""
        return {**self._head, "output": self.output.documents()}

    def ended(self) -> dict[str, Any]:
        """Return the response whose output is over."""
        output = self.output
        ended: dict[str, Any] = {"status": output.status}
        if output.status == COMPLETED:
            ended["completed_at"] = int(time.time())
        elif output.reason is not None:
            ended["incomplete_details"] = {"reason": output.reason}
        items = output.documents()
        return {**self._head, **ended, "output": items, "usage": _usage(output, self._request)}

    def of_whole(self, answer: Mapping[str, Any], usage: TokenUsage) -> dict[str, Any]:
        """Return the response of a `chat.completion` that came whole, and took this usage."""
        self.name(answer)
        for piece in pieces_of(answer, usage):
            self.output.take(piece)
        self.output.end()
        return self.ended()


def _wants_summary(echo: Mapping[str, Any]) -> bool:
    reasoning = echo.get("reasoning")
    return bool(reasoning and reasoning.get("summary"))


def _usage(output: Output, request: ModelRequest) -> dict[str, Any]:
    """Return the tokens as the upstream counted them; what it did not count is estimated."""
    usage = None if output.counted is None else output.counted.usage
    if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return estimated_usage(output.length, request)
    return _usage_of(usage, output.counted.written if output.counted is not None else 0)


def estimated_usage(length: TextLength, request: ModelRequest) -> dict[str, Any]:
    """Return what an answer of this length may have taken."""
    prompt = estimate_request(request).prompt_tokens
    return _usage_of(TokenUsage(prompt, estimate_length(length)), 0)


def _usage_of(usage: TokenUsage, written: int) -> dict[str, Any]:
    taken, given = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {
        "input_tokens": taken,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens or 0,
            "cache_write_tokens": written,
        },
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": taken + given,
    }
