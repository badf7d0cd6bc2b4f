"""Sums up scores and reports them: as JSON, as Markdown, and as bars in SVG."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from benchmarks.prompts.scoring import ENRICHMENT, HARD, PRESERVATION, Score

COLUMNS = (*PRESERVATION, *HARD, "in band", *ENRICHMENT)
# Percent; what a capable model must reach.
BARS: Mapping[str, float] = {
    "in band": 99.5,
    "colors": 100.0,
    "objects": 99.0,
    "relations": 98.0,
    "styles": 99.5,
    "camera": 99.0,
    "camera term": 99.0,
    "no person added": 98.0,
    "language": 100.0,
    "prompt only": 100.0,
    "no markup": 100.0,
    "quotes": 100.0,
}
MAX_FALLBACK_SHARE = 1.0


@dataclass(frozen=True)
class Share:
    """A check's share of rows in percent, and of how many."""

    rows: int
    share: float


@dataclass(frozen=True)
class Summary:
    """The figures of one set and language, or of all, for one rewriter."""

    rewriter: str
    group: str
    rows: int
    checks: Mapping[str, Share]
    kept: float
    facets: float
    fallbacks: float
    tokens: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    own_p50_ms: float | None
    problems: Mapping[str, int]


def summarize(rewriter: str, scores: Sequence[Score]) -> list[Summary]:
    """Return the figures of every set and language, and of all together first."""
    groups = sorted({score.row.group for score in scores})
    parts = {name: [score for score in scores if score.row.group == name] for name in groups}
    everything = {"all": list(scores)} if len(parts) > 1 else {}
    return [_summary(rewriter, name, part) for name, part in {**everything, **parts}.items()]


def _summary(rewriter: str, group: str, scores: Sequence[Score]) -> Summary:
    outputs = [score.output for score in scores]
    latencies = sorted(output.latency_ms for output in outputs if output.latency_ms is not None)
    own = [output.own_ms for output in outputs if output.own_ms is not None]
    tokens = [output.tokens for output in outputs if output.tokens is not None]
    problems = Counter(code for score in scores for code in (score.output.problems or score.codes))
    return Summary(
        rewriter=rewriter,
        group=group,
        rows=len(scores),
        checks={name: share for name in COLUMNS if (share := _share(scores, name)) is not None},
        kept=_percent(score.is_kept for score in scores),
        facets=statistics.mean(score.new_facets for score in scores),
        fallbacks=_percent(output.is_fallback for output in outputs),
        tokens=statistics.mean(tokens) if tokens else None,
        latency_p50_ms=statistics.median(latencies) if latencies else None,
        latency_p95_ms=latencies[math.ceil(0.95 * len(latencies)) - 1] if latencies else None,
        own_p50_ms=statistics.median(own) if own else None,
        problems=dict(problems.most_common()),
    )


def _share(scores: Sequence[Score], name: str) -> Share | None:
    held = [score.checks[name] for score in scores if score.checks[name] is not None]
    return Share(len(held), _percent(held)) if held else None


def _percent(held: Iterable[bool | None]) -> float:
    values = list(held)
    return 100 * sum(map(bool, values)) / len(values)


def as_json(summaries: Sequence[Summary]) -> Any:
    """Return all figures."""
    return {"bars": BARS, "results": [asdict(summary) for summary in summaries]}


def as_markdown(summaries: Sequence[Summary]) -> str:
    """Return a table for each set and language, a column for each rewriter."""
    groups = list(dict.fromkeys(summary.group for summary in summaries))
    tables = []
    for group in groups:
        columns = [summary for summary in summaries if summary.group == group]
        tables.append(f"### {group} ({columns[0].rows} prompts)\n\n{_table(columns)}")
    return "\n\n".join(tables) + "\n"


def _table(columns: Sequence[Summary]) -> str:
    lines = [
        "| check (n) | bar | " + " | ".join(column.rewriter for column in columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for name in COLUMNS:
        shares = [column.checks.get(name) for column in columns]
        known = [share for share in shares if share]
        if known:
            bar = f"{BARS[name]:g} %" if name in BARS else ""
            cells = " | ".join(f"{share.share:.1f} %" if share else "" for share in shares)
            lines.append(f"| {name} ({known[0].rows}) | {bar} | {cells} |")
    figures = [
        ("everything kept", "", [f"{column.kept:.1f} %" for column in columns]),
        ("new facets a prompt", "", [f"{column.facets:.2f}" for column in columns]),
        (
            "fallbacks",
            f"{MAX_FALLBACK_SHARE:g} %",
            [f"{column.fallbacks:.1f} %" for column in columns],
        ),
        ("tokens a prompt", "", [_number(column.tokens) for column in columns]),
        (
            "latency p50 / p95 ms",
            "",
            [
                f"{_number(column.latency_p50_ms)} / {_number(column.latency_p95_ms)}"
                for column in columns
            ],
        ),
        ("own time p50 ms", "", [_number(column.own_p50_ms, 1) for column in columns]),
    ]
    lines += [f"| {name} | {bar} | {' | '.join(cells)} |" for name, bar, cells in figures]
    return "\n".join(lines)


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def as_svg(summaries: Sequence[Summary]) -> str:
    """Return preservation and enrichment as pairs of bars, a pair for each rewriter and set."""
    width, row, left, scale = 760, 44, 300, 4.0
    height = 40 + row * len(summaries)
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18" fill="#2b6cb0">everything kept</text>',
        f'<text x="{left + 130}" y="18" fill="#dd6b20">two new facets or more</text>',
    ]
    for number, summary in enumerate(summaries):
        top = 30 + number * row
        enriched = summary.checks["two new facets"].share
        label = escape(f"{summary.rewriter}: {summary.group}")
        parts.append(f'<text x="{left - 8}" y="{top + 20}" text-anchor="end">{label}</text>')
        for at, (share, color) in enumerate(((summary.kept, "#2b6cb0"), (enriched, "#dd6b20"))):
            y = top + 16 * at
            parts.append(
                f'<rect x="{left}" y="{y}" width="{share * scale:.1f}" height="13" fill="{color}"/>'
                f'<text x="{left + share * scale + 6:.1f}" y="{y + 11}">{share:.1f} %</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
