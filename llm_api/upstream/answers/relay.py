"""Splits a streamed answer into events and relays them in batches."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Self

from llm_api.domain.calls import Operation, TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.collect import events_of
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.answers.relayed_answer import RelayedAnswer
from llm_api.upstream.answers.responses.streamed_response import StreamedResponse
from llm_api.upstream.http.sse import EventParser, EventTooLarge

Source = Callable[[], list[bytes] | None]
Surroundings = Generator[tuple[list[bytes], Source]]
# Seconds for which an answer that has ended may still get its usage, and the mark of its end. Some
# upstreams never send the mark, and write heartbeats until they are left.
GRACE = 2.0
_TICK_S = 0.5  # how often that is looked at


def _ignore(_: float) -> None:
    """Do nothing: the pieces of a body that is there already come at once."""


def events_in(
    pieces: Iterable[bytes],
    answer: RelayedAnswer,
    hasten: Callable[[float], None] = _ignore,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[bytes]:
    """Yield the data of every event until the `answer` that takes them is over; see `Relay`.

    Raises faults.Fault.
    """
    parser = EventParser()
    needed = _NeededPieces(partial(next, iter(pieces), None), answer, _Grace(answer, hasten, clock))
    try:
        while (piece := needed.next()) is not None:
            yield from parser.feed(piece)
        yield from parser.end()
    except EventTooLarge as error:
        raise faults.too_large() from error


class Relay:
    """Relays a streamed answer in batches of chunks to pass on: of those that came together."""

    def __init__(
        self,
        next_piece: Callable[[], bytes | None],
        answer: RelayedAnswer,
        silence: float = 0.0,
        hasten: Callable[[float], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Relay an answer of which nothing was read.

        Args:
            next_piece: returns the bytes of the body as they come in, None at the end; an empty
                piece means that none came.
            answer: validates the events and keeps what is known of the answer.
            silence: seconds without a chunk after which there is an empty batch. An upstream may be
                silent although bytes come: they can be comments.
            hasten: called when the end is due; empty pieces must then come after so many seconds.
            clock: monotonic time in seconds.
        """
        self._pieces = _NeededPieces(next_piece, answer, _Grace(answer, hasten, clock))
        self._answer = answer
        self._silence = silence
        self._parser = EventParser()
        self._clock = clock
        self._silent_since = clock()
        self._fault: faults.Fault | None = None
        self._has_ended = False

    def next_batch(self) -> list[bytes] | None:
        """Wait for the next batch and return it; None at the end.

        Raises faults.Fault, after the chunks that came before it were returned.
        """
        while not self._has_ended:
            if self._fault is not None:
                raise self._fault
            try:
                piece = self._pieces.next()
            except faults.Fault as fault:
                # However their connection ended, the client misses the rest.
                if fault.error.reason == "upstream_disconnected":
                    raise faults.truncated() from fault
                raise
            if piece is None:
                self._has_ended = True
                return self._last() or None
            batch: list[bytes] = []
            self._fault = _take(self._parser.feed(piece), self._answer, batch)
            # A client whose answer has ended waits for nothing.
            if batch or (not self._answer.has_finished and self._is_silent(piece)):
                self._silent_since = self._clock()
                return batch
        return None

    def _is_silent(self, piece: bytes) -> bool:
        is_long = self._clock() - self._silent_since >= self._silence
        return is_long and (self._silence > 0 or not piece)

    def _last(self) -> list[bytes]:
        last: list[bytes] = []
        if not self._answer.is_over:
            fault = _take(self._parser.end(), self._answer, last)
            # Half an event is no event: `end` checks whether anything is missing.
            if fault is not None and fault.error.reason != "upstream_bad_response":
                raise fault
        return last + self._answer.end()

    def first_batch(self) -> list[bytes]:
        """Wait for the beginning of the answer and return it as one batch; raises faults.Fault."""
        first: list[bytes] = []
        while (batch := self.next_batch()) is not None:
            first += batch
            if first and self._answer.has_begun:
                return first
        raise faults.bad_response("an empty stream")


def relay_whole(body: bytes, answer: RelayedAnswer) -> list[bytes]:
    """Return the chunks to pass on for an answer that came in one piece; raises faults.Fault."""
    if isinstance(answer, StreamedResponse):
        return answer.take_whole(body)
    completion = parse_answer(body, answer.operation, classifier=answer.classifier)
    events = events_of(completion.document, answer.operation)
    chunks = [chunk for event in events if (chunk := answer.take(event)) is not None]
    return chunks + answer.end()


def no_others() -> None:
    """Return None: an answer that came in one piece has one batch."""


class _NeededPieces:
    """The pieces of a body until the answer is over, or has been finished for a while."""

    def __init__(
        self,
        next_piece: Callable[[], bytes | None],
        answer: RelayedAnswer,
        grace: "_Grace",
    ) -> None:
        self._next_piece = next_piece
        self._answer = answer
        self._grace = grace

    def next(self) -> bytes | None:
        """Return the next piece, None where no other is needed; raises faults.Fault."""
        answer = self._answer
        if answer.is_over or (answer.has_finished and self._grace.is_over()):
            return None
        try:
            return self._next_piece()
        except faults.Fault:
            # An answer that has all but its last line is as good as one that has it, too.
            if not answer.has_finished:
                raise
            return None


class _Grace:
    """The time that is left to an answer that has been finished."""

    def __init__(
        self,
        answer: RelayedAnswer,
        hasten: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._answer = answer
        self._hasten = hasten
        self._clock = clock
        self._said = -1
        self._ends_at = 0.0

    def is_over(self) -> bool:
        """Whether nothing more was said for a while; some finish in every chunk."""
        length = self._answer.length
        said = length.in_ascii + length.others
        if said == self._said:
            return self._clock() >= self._ends_at
        self._said, self._ends_at = said, self._clock() + GRACE
        self._hasten(_TICK_S)
        return False


def _take(
    events: Iterable[bytes], answer: RelayedAnswer, batch: list[bytes]
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


class SuspendedBatches:
    """The batches of a stream, from a source inside the blocks of a generator.

    The generator yields once: the first batch, and the source of the others. It sleeps while they
    come, and is woken by what ends them: by their end, by what the source raises, or by `close`.
    Passing each batch through it, and through four more like it, cost a stream a sixth of its CPU:
    the frame of every generator between a socket's wait and the client lies on the C stack, which
    each switch of greenlets copies there and back.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        """Wait for the first batch; raises what the generator does."""
        self._surroundings = surroundings
        self._first: list[bytes] | None
        self._first, self._source = next(surroundings)

    def next_batch(self) -> list[bytes] | None:
        """Wait for the next batch and return it; None at the end. Raises what the source does.

        An empty batch stands for a silence.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            batch = self._source()
        except BaseException as error:
            self._surroundings.throw(error)  # it raises this error, or what it makes of it
            raise
        if batch is None:
            next(self._surroundings, None)
        return batch

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> list[bytes]:
        """Return the next batch."""
        if (batch := self.next_batch()) is None:
            raise StopIteration
        return batch

    def close(self) -> None:
        """End the stream, if it has not ended."""
        self._surroundings.close()


class RelayedStream(SuspendedBatches):
    """A streamed answer whose first batch has come."""

    def __init__(
        self,
        answer: RelayedAnswer,
        surroundings: Surroundings,
        dropped: tuple[str, ...],
    ) -> None:
        """Wait for the first batch inside the `surroundings`; raises ApiError.

        `answer` knows usage and length as they come in; `dropped` are fields that were not sent.
        """
        self.dropped = dropped
        self._answer = answer
        super().__init__(surroundings)

    @property
    def usage(self) -> TokenUsage:
        """The usage so far."""
        return self._answer.usage

    @property
    def length(self) -> TextLength:
        """The length of the text that has come so far."""
        return self._answer.length

    @property
    def operation(self) -> Operation:
        """Whose form the chunks have: that of a chat, or events of the Responses API."""
        return self._answer.operation
