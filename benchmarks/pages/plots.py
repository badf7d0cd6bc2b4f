"""Plots as SVG: bars with the range of all rounds, and growth on logarithmic scales."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.pages.markdown import number

WIDTH = 760
LEFT = 230
BAR_SPACE = 400
ROW = 30
TOP = 44
OURS = "#2b6cb0"
OTHERS = "#a0aec0"
LINE_COLORS = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5", "#b83280")
INK = "#1a202c"
PLOT_HEIGHT = 300
PLOT_LEFT = 84
PLOT_WIDTH = 480


def svg(height: int, title: str, parts: Sequence[str]) -> str:
    """Return a picture on white, which is legible on dark pages, too."""
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"'
                f' font-family="sans-serif" font-size="13" fill="{INK}">'
            ),
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            f'<text x="16" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def bars(title: str, values: Mapping[str, Mapping[str, float]], ours: Sequence[str]) -> str:
    """Return a bar for each name, in the given order, with a line from lowest to highest."""
    scale = BAR_SPACE / max(*(value["high"] for value in values.values()), 1e-09)
    parts = []
    for row, (name, value) in enumerate(values.items()):
        top = TOP + row * ROW
        middle = top + 10
        median, low, high = (max(value[key], 0) * scale for key in ("median", "low", "high"))
        color = OURS if name in ours else OTHERS
        parts += [
            f'<text x="{LEFT - 10}" y="{top + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{median:.1f}" height="20" fill="{color}"/>',
            f'<path d="M{LEFT + low:.1f} {middle}H{LEFT + high:.1f}" stroke="{INK}"/>',
            (
                f'<text x="{LEFT + max(high, median) + 8:.1f}" y="{top + 15}">'
                f"{number(value['median'])}</text>"
            ),
        ]
    return svg(TOP + len(values) * ROW + 16, title, parts)


def growth(title: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return how often the first cost a line's costs are, over how often the first size."""
    curves = {
        line["name"]: [
            (
                max(size, 1) / max(line["sizes"][0], 1),
                cost["median"] / line["cpu_ms"][0]["median"],
            )
            for size, cost in zip(line["sizes"], line["cpu_ms"], strict=True)
        ]
        for line in lines
    }
    decades = math.ceil(math.log10(max(x for points in curves.values() for x, _ in points)))
    parts = axes(decades)
    for row, (name, points) in enumerate(curves.items()):
        color = LINE_COLORS[row % len(LINE_COLORS)]
        places = " ".join("{:.1f},{:.1f}".format(*place(x, y, decades)) for x, y in points)
        legend = TOP + 20 + row * 22
        parts += [
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2.5"/>',
            f'<path d="M{PLOT_LEFT + 20} {legend}h24" stroke="{color}" stroke-width="2.5"/>',
            f'<text x="{PLOT_LEFT + 50}" y="{legend + 4}">{escape(name)}</text>',
        ]
    return svg(TOP + PLOT_HEIGHT + 50, title, parts)


def place(x: float, y: float, decades: int) -> tuple[float, float]:
    """Return where a point lies; both scales have the same decades."""
    right = PLOT_LEFT + PLOT_WIDTH * math.log10(x) / decades
    return right, TOP + PLOT_HEIGHT * (1 - max(math.log10(y), 0) / decades)


def axes(decades: int) -> list[str]:
    """Return the lines of the decades, and the dashed line of what is proportional."""
    parts = []
    for decade in range(decades + 1):
        x, y = place(10**decade, 10**decade, decades)
        parts += [
            (
                f'<path d="M{x:.1f} {TOP}v{PLOT_HEIGHT}M{PLOT_LEFT} {y:.1f}h{PLOT_WIDTH}"'
                ' stroke="#e2e8f0"/>'
            ),
            (
                f'<text x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 18}" text-anchor="middle">'
                f"{10**decade:,}×</text>"
            ),
            f'<text x="{PLOT_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**decade:,}×</text>',
        ]
    end = place(10**decades, 10**decades, decades)
    start = place(1, 1, decades)
    parts += [
        (
            f'<path d="M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}" stroke="#718096"'
            ' stroke-dasharray="6 4"/>'
        ),
        f'<text x="{end[0] + 8:.1f}" y="{end[1] + 14:.1f}">proportional</text>',
        (
            f'<text x="{PLOT_LEFT}" y="{TOP + PLOT_HEIGHT + 38}">size, to the first step; '
            "upwards: cost, to that of the first step</text>"
        ),
    ]
    return parts
