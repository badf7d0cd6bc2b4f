"""Tables and figures in Markdown. A figure is what a run writes: median, lowest and highest."""

from collections.abc import Mapping, Sequence
from typing import Any

SERVER_NAMES = {
    "service": "this service",
    "before": "the build before",
    "service-with-key": "this service, with a key",
    "before-with-key": "the build before, with a key",
    "portkey": "Portkey",
    "portkey-mended": "Portkey, mended",
    "litellm": "LiteLLM",
    "upstream": "no server between",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Return a number with three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def figure(value: Mapping[str, float]) -> str:
    """Return the median, and the range."""
    return f"{number(value['median'])} ({number(value['low'])} to {number(value['high'])})"


def server_name(server: str) -> str:
    """Return what a page calls a server."""
    return SERVER_NAMES.get(server, server)


def budget_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the limits with what was measured."""
    rows = [
        [line["figure"], f"≤ {line['limit']:g}", number(line["measured"]), line["verdict"]]
        for line in lines
    ]
    return table(["figure", "to reach", "measured", ""], rows)


def ratio_table(ratios: Mapping[str, Mapping[str, float]]) -> str:
    """Return the ratios; nothing where there are none."""
    if not ratios:
        return ""
    return table(
        ["ratio, taken within each round", "median (lowest to highest)"],
        [[name, figure(value)] for name, value in ratios.items()],
    )
