"""Reads what a vendor answers: in one piece, or as a stream of pictures."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from llm_api.domain.making import VendorResult, VendorTask
from llm_api.errors import ApiError
from llm_api.upstream import faults
from llm_api.upstream.http.large_body import body_pieces
from llm_api.upstream.http.response_body import IncomingBody, UpstreamResponse
from llm_api.upstream.http.sse import ErrorEvent, EventParser, EventTooLarge, is_event_stream
from llm_api.upstream.media.lifting import Lifter
from llm_api.upstream.media.long_texts import read_json
from llm_api.upstream.media.making_errors import no_image, picture_failure
from llm_api.upstream.media.vendor_protocol import (
    EventReader,
    Preview,
    VendorAnswer,
    VendorProtocol,
)

# A picture of 45 MB is 60 MB of base64, and no vendor makes a larger one.
_MAX_PICTURE = 64 << 20
_MAX_FURTHER = 32 << 20  # for each picture after the first
_SILENCE_S = 15.0
_DONE = b"[DONE]"
OnPreview = Callable[[Preview], None]


def headers_of(response: UpstreamResponse) -> dict[str, str]:
    """Return the headers of an answer by their lower-case names."""
    return {name.lower(): value for name, value in response.headers.items()}


def read_whole(response: UpstreamResponse, count: int = 1) -> VendorAnswer:
    """Read an answer that may have `count` pictures; raises faults.Fault."""
    headers, limit = headers_of(response), _max_bytes(count)
    length = headers.get("content-length", "")
    lifter = Lifter(min(int(length), limit) if length.isdecimal() else 0)
    for piece in body_pieces(response, limit):
        lifter.feed(piece)
    return VendorAnswer(response.status_code, headers, *lifter.end())


class CreatedAnswer:
    """The answer to a call that asked for pictures."""

    def __init__(
        self,
        protocol: VendorProtocol,
        count: int,
        on_preview: OnPreview | None,
        *,
        idle: float,
        may_stream: bool,
    ) -> None:
        """Expect an answer.

        Args:
            protocol: what the vendor speaks.
            count: how many pictures were asked for.
            on_preview: gets the previews of a stream.
            idle: how many seconds it may be silent.
            may_stream: whether a stream was asked for.
        """
        self._protocol, self._count, self._idle = protocol, count, idle
        self._on_preview, self._may_stream = on_preview, may_stream

    def read(self, response: UpstreamResponse) -> VendorResult | VendorTask:
        """Return what came; raises faults.Fault, or the ApiError that an answer stands for."""
        is_good = 200 <= response.status_code < 300
        may_stream = self._may_stream or _is_stream(response)
        reader = self._protocol.events() if is_good and may_stream else None
        if reader is None:
            read = self._protocol.read_created(read_whole(response, self._count))
        else:
            read = self._streamed(response, reader)
        return self._complete(read) if isinstance(read, VendorResult) else read

    def _streamed(
        self, response: UpstreamResponse, reader: EventReader
    ) -> VendorResult | VendorTask:
        limit = _max_bytes(self._count)
        incoming = IncomingBody(response, idle=self._idle, tick=_SILENCE_S, max_bytes=4 * limit)
        with closing(incoming) as body:
            if not is_event_stream(body):
                whole = b"".join(iter(body.next_piece, None))
                answer = VendorAnswer(response.status_code, headers_of(response), whole)
                return self._protocol.read_created(answer)
            try:
                self._read_events(body, reader, EventParser(limit))
            except (faults.Fault, ApiError) as error:
                return self._complete(_saved(reader, error), error)
        return reader.result()

    def _read_events(self, body: IncomingBody, reader: EventReader, parser: EventParser) -> None:
        try:
            for piece in iter(body.next_piece, None):
                for event in parser.feed(piece):
                    self._read_event(event, reader)
            for event in parser.end():
                self._read_event(event, reader)
        except EventTooLarge as error:
            raise faults.too_large() from error

    def _read_event(self, event: bytes, reader: EventReader) -> None:
        if event == _DONE:
            return
        try:
            # orjson refuses what is derived from bytes, as an ErrorEvent is.
            document: Any = read_json(bytes(event))
        except ValueError as error:
            raise faults.bad_response("an event that is no JSON") from error
        if not isinstance(document, dict):
            document = {}
        if isinstance(event, ErrorEvent) and "error" not in document:
            document = {"error": document or "unknown"}
        preview = reader.read(document)
        if preview is not None and self._on_preview is not None:
            self._on_preview(preview)

    def _complete(
        self, result: VendorResult, cause: faults.Fault | ApiError | None = None
    ) -> VendorResult:
        """Count as failed what is missing, for whatever ended the answer too early."""
        missing = self._count - len(result.files) - len(result.failed)
        if missing <= 0:
            return result
        error = cause.error if isinstance(cause, faults.Fault) else cause
        failure = picture_failure(error or no_image())
        return replace(result, failed=result.failed + (failure,) * missing)


def _saved(reader: EventReader, error: faults.Fault | ApiError) -> VendorResult:
    """Return the pictures of a stream that broke off; they are paid. Raises the error if none."""
    with suppress(ApiError):
        return reader.result()
    raise error


def _is_stream(response: UpstreamResponse) -> bool:
    return headers_of(response).get("content-type", "").lower().startswith("text/event-stream")


def _max_bytes(count: int) -> int:
    return _MAX_PICTURE + _MAX_FURTHER * (count - 1)
