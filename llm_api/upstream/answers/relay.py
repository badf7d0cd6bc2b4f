"""Turns the bytes of a streamed answer into events, and passes them on in batches."""

import time
from collections.abc import Iterable, Iterator

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
    """Yield the chunks to pass on: those that came in together in one batch.

    An empty batch stands for `silence` seconds in which nothing was passed on: an empty piece tells
    that nothing came, and what came can be comments only. What came before a Fault is yielded
    before it is raised.
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
        # Half an event is no event: `end` tells whether the answer lacks anything.
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
        # However the connection ended: what the client lacks is the rest of the answer.
        if fault.error.reason == "upstream_disconnected":
            raise faults.truncated() from fault
        raise


def _take(
    events: Iterable[bytes], answer: StreamedAnswer, batch: list[bytes]
) -> faults.Fault | None:
    """Put the chunks of events into the batch, up to one that is at fault."""
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
    """Wait for the first batch that has a chunk; raises faults.Fault."""
    first = next((batch for batch in batches if batch), None)
    if first is None:
        raise faults.bad_response("an empty stream")
    return first
