"""What surrounds a stream sleeps while its batches come, and gets what ends them."""

import pytest

from llm_api.upstream.answers.relay import Surroundings, SuspendedBatches


class Surrounded:
    """Surroundings that note how they were left."""

    def __init__(self, *batches: list[bytes], fault: BaseException | None = None) -> None:
        """Have batches behind a first one, and maybe a fault behind those."""
        self.noted: list[object] = []
        self._coming = iter(batches)
        self._fault = fault

    def _next(self) -> list[bytes] | None:
        batch = next(self._coming, None)
        if batch is None and self._fault is not None:
            raise self._fault
        return batch

    def enter(self) -> Surroundings:
        """Surround the batches."""
        try:
            yield [b"first"], self._next
            self.noted.append("over")
        except LookupError as error:
            raise ValueError("translated") from error
        except BaseException as error:
            self.noted.append(type(error))
            raise


def test_the_batches_come_in_order_and_the_surroundings_learn_of_their_end() -> None:
    surrounded = Surrounded([b"a"], [], [b"b"])
    stream = SuspendedBatches(surrounded.enter())

    assert [stream.next_batch() for _ in range(4)] == [[b"first"], [b"a"], [], [b"b"]]
    assert surrounded.noted == []
    assert [stream.next_batch() for _ in range(2)] == [None, None]
    assert surrounded.noted == ["over"]


def test_they_can_be_iterated() -> None:
    stream = SuspendedBatches(Surrounded([], [b"a"]).enter())

    assert list(stream) == [[b"first"], [], [b"a"]]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("x")], ids=repr)
def test_the_surroundings_see_what_the_source_raises(error: BaseException) -> None:
    surrounded = Surrounded(fault=error)
    stream = SuspendedBatches(surrounded.enter())
    stream.next_batch()

    with pytest.raises(type(error)) as raised:
        stream.next_batch()

    assert raised.value is error
    assert surrounded.noted == [type(error)]


def test_the_surroundings_can_translate_what_the_source_raises() -> None:
    stream = SuspendedBatches(Surrounded(fault=LookupError()).enter())
    stream.next_batch()

    with pytest.raises(ValueError, match="translated"):
        stream.next_batch()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_closing_leaves_the_surroundings_once(count: int) -> None:
    surrounded = Surrounded([b"a"], [b"b"])
    stream = SuspendedBatches(surrounded.enter())
    for _ in range(count):
        stream.next_batch()

    stream.close()
    stream.close()

    assert surrounded.noted == [GeneratorExit]


def test_a_stream_that_is_over_can_be_closed() -> None:
    surrounded = Surrounded()
    stream = SuspendedBatches(surrounded.enter())
    list(stream)

    stream.close()

    assert surrounded.noted == ["over"]
