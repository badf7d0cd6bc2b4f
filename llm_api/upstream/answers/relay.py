"""Splits a streamed answer into events and relays them in batches."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator

from llm_api.domain.calls import TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import StreamedAnswer, events_of
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.http.sse import EventParser, EventTooLarge

# Seconds for which an answer that has ended may still get its usage, and the mark of its end. Some
# upstreams never send the mark, and write heartbeats until they are left.
GRACE = 2.0
_TICK_S = 0.5  # how often that is looked at


def _ignore(_: float) -> None:
    """Do nothing: the pieces of a body that is there already come at once."""


def events_in(
    pieces: Iterable[bytes], answer: StreamedAnswer, hasten: Callable[[float], None] = _ignore
) -> Iterator[bytes]:
    """Yield the data of every event until the `answer` that takes them is over; see `relay`.

    Raises faults.Fault.
    """
    parser = EventParser()
    try:
        for piece in _while_needed(pieces, answer, hasten):
            yield from parser.feed(piece)
        yield from parser.end()
    except EventTooLarge as error:
        raise faults.too_large() from error


def relay(
    pieces: Iterable[bytes],
    answer: StreamedAnswer,
    silence: float = 0.0,
    hasten: Callable[[float], None] = _ignore,
) -> Iterator[list[bytes]]:
    """Yield the chunks to pass on, in one batch those that came together.

    Args:
        pieces: the bytes of the body as they come in; an empty piece means that none came.
        answer: validates the events and keeps what is known of the answer.
        silence: seconds without a chunk after which an empty batch is yielded. An upstream may be
            silent although bytes come: they can be comments.
        hasten: called when the end is due; empty pieces must then come after so many seconds.

    Raises:
        faults.Fault: after the chunks that came before it were yielded.
    """
    parser = EventParser()
    silent_since = time.monotonic()
    for piece in _while_needed(_cut(pieces), answer, hasten):
        batch: list[bytes] = []
        fault = _take(parser.feed(piece), answer, batch)
        is_silent = time.monotonic() - silent_since >= silence and (silence > 0 or not piece)
        # A client whose answer has ended waits for nothing.
        if batch or (is_silent and not answer.has_finished):
            yield batch
            silent_since = time.monotonic()
        if fault is not None:
            raise fault
    last: list[bytes] = []
    if not answer.is_over:
        fault = _take(parser.end(), answer, last)
        # Half an event is no event: `end` checks whether anything is missing.
        if fault is not None and fault.error.reason != "upstream_bad_response":
            raise fault
    if last := last + answer.end():
        yield last


def relay_whole(body: bytes, answer: StreamedAnswer) -> list[bytes]:
    """Return the chunks to pass on for an answer that came in one piece; raises faults.Fault."""
    completion = parse_answer(body, answer.operation, classifier=answer.classifier)
    events = events_of(completion.document, answer.operation)
    chunks = [chunk for event in events if (chunk := answer.take(event)) is not None]
    return chunks + answer.end()


def _while_needed(
    pieces: Iterable[bytes], answer: StreamedAnswer, hasten: Callable[[float], None]
) -> Iterator[bytes]:
    """Yield the pieces until the answer is over, or has been finished for a while."""
    grace = _Grace(answer, hasten)
    try:
        for piece in pieces:
            yield piece
            if answer.is_over or (answer.has_finished and grace.is_over()):
                return
    except faults.Fault:
        # An answer that has all but its last line is as good as one that has it, too.
        if not answer.has_finished:
            raise


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces; however their connection ended, the client misses the rest."""
    try:
        yield from pieces
    except faults.Fault as fault:
        if fault.error.reason == "upstream_disconnected":
            raise faults.truncated() from fault
        raise


class _Grace:
    """The time that is left to an answer that has been finished."""

    def __init__(self, answer: StreamedAnswer, hasten: Callable[[float], None]) -> None:
        self._answer = answer
        self._hasten = hasten
        self._said = -1
        self._ends_at = 0.0

    def is_over(self) -> bool:
        """Whether nothing more was said for a while; some finish in every chunk."""
        length = self._answer.length
        said = length.in_ascii + length.others
        if said == self._said:
            return time.monotonic() >= self._ends_at
        self._said, self._ends_at = said, time.monotonic() + GRACE
        self._hasten(_TICK_S)
        return False


def _take(
    events: Iterable[bytes], answer: StreamedAnswer, batch: list[bytes]
) -> faults.Fault | None:
    """Add the chunks of events to the batch, up to the first faulty one."""
    try:
        for event in events:
            chunk = answer.take(event)
            if chunk is not None:
                batch.append(chunk)
            if answer.is_over:
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
