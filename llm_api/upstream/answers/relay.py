"""Splits a streamed answer into events and relays them in batches."""

import time
from collections.abc import Generator, Iterable, Iterator

from llm_api.domain.calls import TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.http.sse import EventParser, EventTooLarge


def events_in(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of every event; raises faults.Fault."""
    parser = EventParser()
    try:
        for piece in pieces:
            yield from parser.feed(piece)
        yield from parser.end()
    except EventTooLarge as error:
        raise faults.too_large() from error


def relay(
    pieces: Iterable[bytes], answer: StreamedAnswer, silence: float = 0.0
) -> Iterator[list[bytes]]:
    """Yield the chunks to pass on, in one batch those that came together.

    Args:
        pieces: the bytes of the body as they come in; an empty piece means that none came.
        answer: validates the events and keeps what is known of the answer.
        silence: seconds without a chunk after which an empty batch is yielded. An upstream may be
            silent although bytes come: they can be comments.

    Raises:
        faults.Fault: after the chunks that came before it were yielded.
    """
    parser = EventParser()
    silent_since = time.monotonic()
    for piece in _while_needed(pieces, answer):
        batch: list[bytes] = []
        fault = _take(parser.feed(piece), answer, batch)
        is_silent = time.monotonic() - silent_since >= silence and (silence > 0 or not piece)
        if batch or is_silent:
            yield batch
            silent_since = time.monotonic()
        if fault is not None:
            raise fault
        if answer.is_done:
            break
    last: list[bytes] = []
    if not answer.is_done:
        fault = _take(parser.end(), answer, last)
        # Half an event is no event: `end` checks whether anything is missing.
        if fault is not None and fault.error.reason != "upstream_bad_response":
            raise fault
    if last := last + answer.end():
        yield last


def _while_needed(pieces: Iterable[bytes], answer: StreamedAnswer) -> Iterator[bytes]:
    try:
        yield from pieces
    except faults.Fault as fault:
        # An answer that has all but its last line is as good as one that has it, too.
        if answer.has_finished:
            return
        # However the connection ended: the client misses the rest of the answer.
        if fault.error.reason == "upstream_disconnected":
            raise faults.truncated() from fault
        raise


def _take(
    events: Iterable[bytes], answer: StreamedAnswer, batch: list[bytes]
) -> faults.Fault | None:
    """Add the chunks of events to the batch, up to the first faulty one."""
    try:
        for event in events:
            chunk = answer.take(event)
            if chunk is not None:
                batch.append(chunk)
            elif answer.is_done:
                break
    except EventTooLarge:
        return faults.too_large()
    except faults.Fault as fault:
        return fault
    return None


def first_of(batches: Iterator[list[bytes]]) -> list[bytes]:
    """Return the first batch that has a chunk; raises faults.Fault."""
    first = next((batch for batch in batches if batch), None)
    if first is None:
        raise faults.bad_response("an empty stream")
    return first


class RelayedStream:
    """A streamed answer whose first batch has come."""

    def __init__(
        self,
        answer: StreamedAnswer,
        batches: Generator[list[bytes]],
        dropped: tuple[str, ...],
    ) -> None:
        """Wait for the first of the `batches`; raises ApiError.

        `answer` knows usage and length as they come in; `dropped` are fields that were not sent.
        """
        self.dropped = dropped
        self._answer = answer
        self._batches = batches
        self._first = next(batches)

    @property
    def usage(self) -> TokenUsage:
        """The usage so far."""
        return self._answer.usage

    @property
    def length(self) -> TextLength:
        """The length of the text that has come so far."""
        return self._answer.length

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the batches."""
        yield self._first
        yield from self._batches

    def close(self) -> None:
        """End the call, if it has not ended."""
        self._batches.close()
