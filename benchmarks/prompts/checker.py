"""The checker's own proof: published figures, good rewrites that pass, spoilt ones noticed."""

from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.prompts.mutations import Good, mutants
from benchmarks.prompts.plain import plain_figures
from benchmarks.prompts.rows import Row
from benchmarks.prompts.scoring import Output, score
from benchmarks.prompts.variants import variants

# The service's check that asks the same as a plain one, but knows synonyms.
SAME = {
    "no Chinese in English": "language",
    "no person added": "no person added",
    "color kept": "colors",
    "both objects kept": "objects",
    "relation and both objects": "relations",
    "style name kept": "styles",
    "camera or shot term": "camera term",
}


def proof(rows: Sequence[Row]) -> str:
    """Return the proof on some rows as Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row.rewrites))
    parts = [_published(rows, name) for name in names if plain_figures(rows, name)]
    for name in names:
        goods = _goods(rows, name)
        passed = [good for good in goods if not good.codes()]
        parts += [_mutation(name, passed, len(goods)), _harmless(name, passed)]
    return "\n\n".join(parts) + "\n"


def _published(rows: Sequence[Row], rewriter: str) -> str:
    lines = [
        f"### Published figures: {rewriter}",
        "",
        "| check (n here) | published | plain check | service's check |",
        "|---|---|---|---|",
    ]
    own = list(_own_shares(rows, rewriter))
    for figure in plain_figures(rows, rewriter):
        published = "" if figure.published is None else f"{figure.published:.1f} %"
        ours = dict(own).get(figure.name, "")
        lines.append(
            f"| {figure.name} ({figure.rows}) | {published} | {figure.share:.1f} % | {ours} |"
        )
    return "\n".join(lines)


def _own_shares(rows: Sequence[Row], rewriter: str) -> Iterator[tuple[str, str]]:
    scores = [
        score(row, Output(row.rewrites[rewriter])) for row in rows if rewriter in row.rewrites
    ]
    for plain, name in SAME.items():
        held = [score.checks[name] for score in scores if score.checks[name] is not None]
        if held:
            yield plain, f"{100 * sum(map(bool, held)) / len(held):.1f} % ({len(held)})"


def _goods(rows: Sequence[Row], rewriter: str) -> Sequence[Good]:
    return [
        Good(row.prompt, row.rewrites[rewriter], row.type)
        for row in rows
        if rewriter in row.rewrites
    ]


def _mutation(rewriter: str, passed: Sequence[Good], of: int) -> str:
    """Spoil every rewrite that passes; one that does not is no good example."""
    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for good in passed:
        for mutant in mutants(good):
            made[mutant.kind] += 1
            caught[mutant.kind] += mutant.is_caught_by(good.codes(mutant.text))
    total, hits = sum(made.values()), sum(caught.values())
    share = 100 * hits / max(total, 1)
    noticed = f"{hits} of {total} spoilt ones are noticed ({share:.2f} %)."
    lines = [
        f"### Mutants: {rewriter}",
        "",
        f"{len(passed)} of {of} rewrites pass; {noticed}",
        "",
        "| spoilt by | mutants | noticed |",
        "|---|---|---|",
    ]
    lines += [
        f"| {kind} | {made[kind]} | {100 * caught[kind] / made[kind]:.1f} % |" for kind in made
    ]
    return "\n".join(lines)


def _harmless(rewriter: str, passed: Sequence[Good]) -> str:
    """Change every rewrite that passes in ways that lose nothing."""
    made: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    for good in passed:
        for variant in variants(good):
            made[variant.kind] += 1
            alarms[variant.kind] += bool(good.codes(variant.text))
    total, false = sum(made.values()), sum(alarms.values())
    lines = [
        f"### Harmless changes: {rewriter}",
        "",
        f"{false} of {total} raise an alarm ({100 * false / max(total, 1):.2f} %).",
        "",
        "| changed by | variants | alarms |",
        "|---|---|---|",
    ]
    lines += [f"| {kind} | {made[kind]} | {alarms[kind]} |" for kind in made]
    return "\n".join(lines)
