"""The texts of docs/benchmarks.md, docs/sizing.md and their plots.

A page's introduction is written by hand; what follows its mark is generated. The figures are those
that `python -m benchmarks --json` has written to docs/benchmarks/figures.json.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.options import REPOSITORY_ROOT
from benchmarks.pages import benchmarks_page, sizing_page

DOCS = REPOSITORY_ROOT / "docs"
FIGURES = DOCS / "benchmarks" / "figures.json"
MARK = "<!-- Everything below "


def pages() -> Mapping[Path, str]:
    """Return every generated file with its text as it should be."""
    run = json.loads(FIGURES.read_text("utf-8"))
    if "targets" not in run:
        raise ValueError(f"{FIGURES} has no figures of calls, which every page needs")
    plots = benchmarks_page.plots(run)
    return {
        DOCS / "benchmarks.md": f"{kept(DOCS / 'benchmarks.md')}\n{benchmarks_page.page(run)}",
        DOCS / "sizing.md": f"{kept(DOCS / 'sizing.md')}\n{sizing_page.page(run)}",
        **{FIGURES.with_name(name): text for name, text in plots.items()},
    }


def kept(path: Path) -> str:
    """Return a page up to its mark, the mark's line included."""
    introduction, mark, rest = path.read_text("utf-8").partition(MARK)
    return introduction + mark + rest.partition("\n")[0] + "\n"
