"""Merges the symbols of a word pair by pair, as encoders with byte pair encoding do (BPE)."""

import heapq
from collections.abc import Callable, Sequence


def count_merged(symbols: Sequence[str], rank: Callable[[str, str], int | None]) -> int:
    """Return how many tokens the symbols of a word become.

    A word of thousands of letters takes no longer for each of them than a short one.

    Args:
        symbols: those of the word, in order.
        rank: of two neighbors that can be merged, the lowest first; None if they cannot.
    """
    parts: list[str | None] = list(symbols)
    end = len(parts)
    before, behind = list(range(-1, end - 1)), list(range(1, end + 1))
    queue: list[tuple[int, int, str, str]] = []

    def offer(at: int) -> None:
        if at < 0 or behind[at] >= end:
            return
        left, right = parts[at], parts[behind[at]]
        if left is not None and right is not None and (place := rank(left, right)) is not None:
            heapq.heappush(queue, (place, at, left, right))

    for at in range(end):
        offer(at)
    count = end
    while queue:
        _, at, left, right = heapq.heappop(queue)
        following = behind[at]
        if parts[at] != left or following >= end or parts[following] != right:
            continue  # one of the two has been merged since
        parts[at], parts[following] = left + right, None
        behind[at] = behind[following]
        if behind[at] < end:
            before[behind[at]] = at
        count -= 1
        offer(before[at])
        offer(at)
    return count


def byte_signs() -> list[str]:
    """Return the printable sign that stands for each byte in vocabularies of bytes.

    Source: `bytes_to_unicode` of GPT-2, https://github.com/openai/gpt-2/blob/master/src/encoder.py
    """
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]
