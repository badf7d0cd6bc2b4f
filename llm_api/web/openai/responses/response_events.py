"""Writes the chunks of a chat as the events of a response.

The order is the one that all SDKs take, with `sequence_number` in every event; see `output_items`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llm_api.domain.calls import ModelRequest
from llm_api.errors import ApiError
from llm_api.web.dialects.pieces import Piece, PieceReader
from llm_api.web.openai.responses.failures import PING, failure_events, written
from llm_api.web.openai.responses.input.tool_names import ToolNames
from llm_api.web.openai.responses.output_items import Event
from llm_api.web.openai.responses.response_object import ResponseObject
from llm_api.web.response.sse import End, KeepAlive

KeepItems = Callable[[Sequence[dict[str, Any]]], None]


class ResponseWriter:
    """Writes one streamed response."""

    def __init__(
        self,
        request: ModelRequest,
        tools: ToolNames,
        echo: Mapping[str, Any],
        keep: KeepItems | None = None,
    ) -> None:
        """Write the stream of the response to a request.

        Args:
            request: as the model gets it.
            tools: the client's tools, by the names that the model is told.
            echo: the fields of the request that the response repeats.
            keep: gets the items of a response that is over.
        """
        self._told: list[Event] = []  # of the output, and not written yet
        self._response = ResponseObject(request, tools, echo, self._told.append)
        self._keep = keep
        self._reader = PieceReader()
        self._number = 0

    def events(self, batch: Sequence[bytes]) -> bytes:
        """Write the events of chunks; the first come behind those that begin the response."""
        pieces = self._reader.read(batch)
        begun = b"" if self._number else self._begin()
        return begun + self._said(pieces)

    def _begin(self) -> bytes:
        self._response.name(self._reader.head)
        response = self._response.document()
        types = ("response.created", "response.in_progress")
        return b"".join(self._written({"type": name, "response": response}) for name in types)

    def _said(self, pieces: Iterable[Piece]) -> bytes:
        for piece in pieces:
            self._response.output.take(piece)
        return self._written_so_far()

    def _written_so_far(self) -> bytes:
        lines = b"".join(map(self._written, self._told))
        self._told.clear()
        return lines

    def keep_alive(self) -> KeepAlive | None:
        """Write a comment."""
        return PING

    def end(self) -> End:
        """Write what ends the items, and the response."""
        begun = b"" if self._number else self._begin()
        said = self._said(self._reader.end())
        self._response.output.end()
        said += self._written_so_far()
        response = self._response.ended()
        if self._keep is not None:
            self._keep(response["output"])
        event = {"type": f"response.{response['status']}", "response": response}
        return End(begun + said + self._written(event))

    def error(self, error: ApiError, _request_id: str) -> bytes:
        """Write the events of a failure, behind those that begin the response."""
        begun = b"" if self._number else self._begin()
        return begun + failure_events(self._response.failed(), error, self._number)

    def _written(self, event: Event) -> bytes:
        numbered = {**event, "sequence_number": self._number}
        self._number += 1
        return written(numbered)
