"""Batches of a stream whose source is set up and taken down by a generator, which then sleeps."""

from collections.abc import Callable, Generator
from typing import Self

Source = Callable[[], list[bytes] | None]
Surroundings = Generator[tuple[list[bytes], Source]]


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
