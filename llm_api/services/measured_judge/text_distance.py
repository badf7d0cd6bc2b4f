"""Compares what was read with what should be read: edit distance, and the letters that differ.

Case, spaces and the forms of one letter (full width, ligatures) do not count. The distance is that
of optimal string alignment (Damerau 1964, restricted): two neighbors in the wrong order are one
mistake.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

_MAX_LETTERS = 120
_SWAPPED = 2


def plain(text: str) -> str:
    """Return a text for comparisons: one form of each letter (NFKC), no case, no spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(folded.split())


def letters_of(text: str) -> str:
    """Return the letters and digits of a text that is plain already."""
    return "".join(filter(str.isalnum, text))


def distance(wanted: str, read: str) -> int:
    """Return by how many letters two plain texts differ.

    A column of the table of distances is a number's bits (Hyyrö 2003, "A bit-vector algorithm for
    computing Levenshtein and Damerau edit distances"): cell by cell it takes a hundred times as
    long.
    """
    if not wanted:
        return len(read)
    places: dict[str, int] = defaultdict(int)
    for index, letter in enumerate(wanted):
        places[letter] |= 1 << index
    every, last = (1 << len(wanted)) - 1, 1 << (len(wanted) - 1)
    more, less, same, before, found = every, 0, 0, 0, len(wanted)
    for letter in read:
        here = places.get(letter, 0)
        swapped = ((~same & here) << 1) & before
        same = ((((here & more) + more) ^ more) | here | less | swapped) & every
        right_more, right_less = (less | ~(same | more)) & every, same & more
        found += bool(right_more & last) - bool(right_less & last)
        right_more, right_less = (right_more << 1) | 1, right_less << 1
        more, less = (right_less | ~(same | right_more)) & every, right_more & same & every
        before = here
    return found


def differences(wanted: str, read: str) -> tuple[str, ...]:
    """Return in words which letters of two plain texts differ, within the first 120 of each."""
    short, other = wanted[:_MAX_LETTERS], read[:_MAX_LETTERS]
    return tuple(reversed(list(_differences(short, other, _table(short, other)))))


def _table(wanted: str, read: str) -> list[list[int]]:
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
    if min(i, j) < _SWAPPED:
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
