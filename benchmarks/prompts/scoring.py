"""Scores outputs: preservation of the prompt, enrichment, and fitness for use.

Preservation alone is won by doing nothing, and enrichment alone by drifting: both are reported side
by side. A fallback counts as a failure of every check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.prompts.rows import Row
from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts import Constraints, find_constraints, find_violations

BANDS = {
    ("image", "en"): (40, 150),
    ("video", "en"): (60, 200),
    ("image", "zh"): (60, 300),
    ("video", "zh"): (80, 300),
}
WANTED_FACETS = 2
EXPANSION = 1.5  # what is already detailed should stay about as long as it is
PRESERVATION: Mapping[str, str] = {
    "quotes": "quote_lost quote_unmarked",
    "counts": "count_changed",
    "colors": "color_lost",
    "objects": "object_lost",
    "relations": "relation_lost",
    "styles": "style_lost",
    "camera": "camera_lost camera_added",
    "names": "name_lost",
    "negations": "negation_broken",
    "no person added": "person_added",
    "no text added": "quote_added",
}
HARD: Mapping[str, str] = {
    "language": "wrong_language",
    "prompt only": "preamble residue refusal empty",
    "no markup": "markdown",
    "not cut": "truncated",
}
ENRICHMENT = ("two new facets", "motion", "camera term", "time")


@dataclass(frozen=True)
class Output:
    """What a rewriter made of a prompt; times in milliseconds, None where they are not known."""

    text: str
    is_fallback: bool = False
    tokens: int | None = None
    calls: int | None = None
    latency_ms: float | None = None
    own_ms: float | None = None
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class Score:
    """A row's results: a check is None where the prompt gives nothing to check."""

    row: Row
    output: Output
    checks: Mapping[str, bool | None]
    new_facets: int
    codes: Sequence[str]

    @property
    def is_kept(self) -> bool:
        """Whether everything that applies was kept."""
        return all(self.checks[name] is not False for name in PRESERVATION)


def score(row: Row, output: Output) -> Score:
    """Score an output; a fallback fails all that applies."""
    constraints, written = find_constraints(row.prompt), find_constraints(output.text)
    wanted = RewriteRequirements(row.type, row.language)
    violations = find_violations(row.prompt, output.text, wanted, constraints=constraints)
    codes = [violation.code for violation in violations]
    facets = new_facets(constraints, written)
    checks: dict[str, bool | None] = {}
    for name, names in {**PRESERVATION, **HARD}.items():
        checks[name] = set(names.split()).isdisjoint(codes) if _applies(name, constraints) else None
    checks["in band"] = is_in_band(row, output.text, constraints)
    checks.update(_enrichment(row, written, facets))
    if output.is_fallback:
        checks = {name: None if value is None else False for name, value in checks.items()}
    return Score(row, output, checks, 0 if output.is_fallback else len(facets), codes)


def _applies(name: str, constraints: Constraints) -> bool:
    if name == "no person added":
        return not constraints.mentions_person
    if name == "camera":
        return bool(constraints.camera.labels())
    if name == "no text added" or name in HARD:
        return True
    return bool(getattr(constraints, name))


def new_facets(original: Constraints, rewrite: Constraints) -> frozenset[str]:
    """Return the visual facets that a rewrite speaks of in words that the prompt lacks."""
    before, after = original.reading, rewrite.reading
    known = {before.words(term.start, term.end) for term in before.of("facet")}
    return frozenset(
        term.concept for term in after.of("facet") if after.words(term.start, term.end) not in known
    )


def _enrichment(
    row: Row, rewrite: Constraints, facets: frozenset[str]
) -> Mapping[str, bool | None]:
    enough = len(facets) >= WANTED_FACETS
    if row.type == "image":
        return {"two new facets": enough, "motion": None, "camera term": None, "time": None}
    reading = rewrite.reading
    return {
        "two new facets": enough,
        "motion": bool(reading.of("motion")),
        "camera term": bool(reading.of("move", "shot", "angle")) or reading.has("mover", "camera"),
        "time": bool(reading.of("time")),
    }


def is_in_band(row: Row, text: str, constraints: Constraints) -> bool:
    """Whether a text has the wanted length, in English words or Chinese characters.

    What was already detailed may be as much longer as it is.
    """
    low, high = BANDS[row.type, row.language]
    size, source = _size(text, row.language), _size(row.prompt, row.language)
    if constraints.is_detailed or source > high:
        return 0.5 * source <= size <= max(high, EXPANSION * source)
    return low <= size <= high


def _size(text: str, language: str) -> int:
    return len(text) if language == "zh" else len(text.split())
