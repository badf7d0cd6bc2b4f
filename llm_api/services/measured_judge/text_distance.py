"""Compares what was read with what should be read: edit distance, and the letters that differ.

Case, spaces and the forms of one letter (full width, ligatures) do not count. The distance is that
of optimal string alignment (Damerau 1964, restricted): two neighbors in the wrong order are one
mistake.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_MAX_LETTERS = 120


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a text differs from the wanted one: by how many letters, and by which, in words."""

    distance: int
    differences: tuple[str, ...] = ()


def plain(text: str) -> str:
    """Return a text for comparisons: one form of each letter (NFKC), no case, no spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(folded.split())


def letters_of(text: str) -> str:
    """Return the letters and digits of a text that is plain already."""
    return "".join(filter(str.isalnum, text))


def least_distance(wanted: str, read: str) -> int:
    """Return a distance that is never larger than the true one: as if order did not count."""
    missing, more = Counter(wanted), Counter(read)
    return max((missing - more).total(), (more - missing).total())


def compared(wanted: str, read: str) -> Comparison:
    """Compare two plain texts; differences are looked for in the first 120 letters of each."""
    if wanted == read:
        return Comparison(0)
    short, other = wanted[:_MAX_LETTERS], read[:_MAX_LETTERS]
    rows = _distances(short, other)
    differences = list(_differences(short, other, rows))
    distance = max(rows[-1][-1], least_distance(wanted, read), 1)
    return Comparison(distance, tuple(reversed(differences)))


def _distances(wanted: str, read: str) -> list[list[int]]:
    rows = [list(range(len(read) + 1))]
    for i, letter in enumerate(wanted, 1):
        row = [i]
        for j, other in enumerate(read, 1):
            least = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (letter != other))
            if _is_swap(wanted, read, i, j):
                least = min(least, rows[i - 2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows


def _is_swap(wanted: str, read: str, i: int, j: int) -> bool:
    if min(i, j) < 2:
        return False
    pair = wanted[i - 2 : i]
    return pair[0] != pair[1] and pair == read[j - 1] + read[j - 2]


def _differences(wanted: str, read: str, rows: Sequence[Sequence[int]]) -> Iterator[str]:
    """Yield the letters that differ, from the last to the first."""
    i, j = len(wanted), len(read)
    while i or j:
        if i and j and wanted[i - 1] == read[j - 1] and rows[i][j] == rows[i - 1][j - 1]:
            i, j = i - 1, j - 1
        elif _is_swap(wanted, read, i, j) and rows[i][j] == rows[i - 2][j - 2] + 1:
            yield f'"{read[j - 2 : j]}" instead of "{wanted[i - 2 : i]}"'
            i, j = i - 2, j - 2
        elif i and j and rows[i][j] == rows[i - 1][j - 1] + 1:
            yield f'"{read[j - 1]}" instead of "{wanted[i - 1]}"'
            i, j = i - 1, j - 1
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            yield f'"{wanted[i - 1]}" is missing'
            i -= 1
        else:
            yield f'"{read[j - 1]}" is too much'
            j -= 1
