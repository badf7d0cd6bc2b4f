"""Draws charts with the letters of a terminal, of any width; no library is needed for that."""

import shutil
import sys
from collections.abc import Sequence

from llm_api.cli.usage_series import Chart

_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_NARROWEST, _WIDEST_STEP, _LONGEST_NAME = 10, 4, 32


def chart_text(chart: Chart) -> str:
    """Return a chart as lines of text: a name, a row of bars, and its sum.

    All rows have one scale. Several times share a bar where there is no room for each.
    """
    columns = shutil.get_terminal_size().columns
    names = [line.name[:_LONGEST_NAME] for line in chart.lines]
    sums = [chart.text(line.total) for line in chart.lines]
    beside = max(map(len, names), default=0) + max(map(len, sums), default=0) + 4
    width = max(_NARROWEST, columns - beside - 1)
    shared = -(-len(chart.times) // width)  # times a bar
    rows = [_shared(line.values, shared) for line in chart.lines]
    step = min(_WIDEST_STEP, max(1, width // (-(-len(chart.times) // shared))))
    most = max((max(row) for row in rows), default=0)
    signs = _signs()
    left, right = max(map(len, names), default=0), max(map(len, sums), default=0)
    lines = [_title(chart, shared, most)]
    for name, row, total in zip(names, rows, sums, strict=True):
        bars = "".join(signs[_height(value, most)] * step for value in row)
        lines.append(f"{name:<{left}}  {bars}  {total:>{right}}")
    if not rows:
        return f"{lines[0]}\nThere are no calls."
    drawn = step * len(rows[0])
    first, last = chart.times[0], chart.times[-1]
    if drawn < len(first) + len(last) + 1:
        first, last = first[5:], last[5:]  # without the year
    return "\n".join([*lines, f"{'':<{left}}  {first}{last:>{max(0, drawn - len(first))}}"])


def _title(chart: Chart, shared: int, most: int) -> str:
    unit = f", in {chart.unit}" if chart.is_money else ""
    many = f", {shared} to a bar" if shared > 1 else ""
    return f"{chart.title}{unit} (UTC{many}; the highest bar is {chart.text(most)})"


def _shared(values: Sequence[int], count: int) -> list[int]:
    return [sum(values[start : start + count]) for start in range(0, len(values), count)]


def _height(value: int, most: int) -> int:
    """Return 0 for nothing, and else 1 to 8."""
    return 0 if value <= 0 else max(1, round(value / most * (len(_BLOCKS) - 1)))


def _signs() -> str:
    """Return the bars, which not every terminal can show."""
    try:
        _BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _ASCII
    return _BLOCKS
