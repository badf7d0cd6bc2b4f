"""Draws charts to PNG and SVG files with matplotlib, which is installed where that is wanted."""

import io
from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec

from llm_api.cli.calling.exit_codes import FAILED, CommandFailed
from llm_api.cli.usage_series import Chart

_WIDTH, _HEIGHT, _DPI = 10, 4, 150  # inches, and of each chart; dots an inch


def require_library() -> None:
    """Raise CommandFailed where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise CommandFailed(
            "Drawing to a file needs matplotlib: `make plots` installs it, and so does"
            " `pip install -r requirements/plots.txt`.",
            FAILED,
        )


def drawn(charts: Sequence[Chart], kind: str) -> bytes:
    """Return a file of `kind` png or svg with the charts below each other, on a white ground."""
    # Not pyplot, which looks for a screen; and late, since it takes half a second.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(charts)), layout="constrained")
    every = figure.subplots(len(charts), squeeze=False)
    for chart, axes in zip(charts, every[:, 0], strict=True):
        times = [datetime.fromisoformat(time) for time in chart.times]
        for line in chart.lines:
            values = [chart.value(value) for value in line.values]
            axes.plot(times, values, label=f"{line.name}: {chart.text(line.total)}", marker=".")
        axes.set_title(f"{chart.title} (UTC)")
        axes.set_ylabel(chart.unit)
        axes.set_ylim(bottom=0)
        axes.yaxis.get_major_locator().set_params(integer=not chart.is_money)
        axes.grid(visible=True, alpha=0.3)
        if chart.lines:
            axes.legend(loc="upper left", fontsize="small")
    figure.autofmt_xdate()
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=_DPI)
    return content.getvalue()
