"""Judge rewrites by pairs: `python -m benchmarks.prompts.pairs` from the repository root.

`rewrite` has the prompts of a set rewritten, `sheets` writes two sheets to fill in, in which A and
B hide which text is the original, each pair once in either order; `tally` reads them again. Two
judgements that contradict each other are a tie.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.servers import BenchmarkError
from benchmarks.prompts.rows import load
from benchmarks.prompts.service import BUNDLED, rewrite_all

BETTER, WORSE, TIE = "better", "worse", "tie"
_LETTERS = ("A", "B")
_SHEETS = ("sheet-1.jsonl", "sheet-2.jsonl")


@dataclass(frozen=True)
class Pair:
    """A prompt and its rewrite."""

    id: str
    type: str
    prompt: str
    rewrite: str


@dataclass(frozen=True)
class Verdict:
    """What both judgements of a pair say of its rewrite, with the reason of each."""

    pair: Pair
    result: str
    reasons: Sequence[str]


def rewritten(prompts: Path, at_once: int) -> list[Pair]:
    """Return a set's prompts with what the bundled model makes of them."""
    rows = load(prompts)
    outputs = rewrite_all(rows, BUNDLED, lambda _: None, at_once=at_once)
    return [
        Pair(row.id, row.type, row.prompt, output.text)
        for row, output in zip(rows, outputs, strict=True)
    ]


def sheets(pairs: Sequence[Pair], seed: int) -> list[list[dict[str, str]]]:
    """Return two sheets, each in an order of its own; the second has A and B the other way round.

    Pairs whose rewrite is the original are left out: there is nothing to judge.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret, and repeatable
    changed = [pair for pair in pairs if pair.rewrite != pair.prompt]
    is_swapped = {pair.id: chance.random() < 1 / 2 for pair in changed}
    found = []
    for is_second in (False, True):
        order = chance.sample(changed, len(changed))
        found.append([_line(pair, is_swapped=is_swapped[pair.id] != is_second) for pair in order])
    return found


def _line(pair: Pair, *, is_swapped: bool) -> dict[str, str]:
    texts = (pair.rewrite, pair.prompt) if is_swapped else (pair.prompt, pair.rewrite)
    shown = dict(zip(_LETTERS, texts, strict=True))
    return {"id": pair.id, "type": pair.type, **shown, BETTER: "", "reason": ""}


def verdicts(pairs: Sequence[Pair], filled: Sequence[Sequence[Mapping[str, str]]]) -> list[Verdict]:
    """Return the verdict of every pair; a rewrite that is the original is a tie.

    Raises ValueError for a line without a judgement or a reason.
    """
    lines = [{line["id"]: line for line in sheet} for sheet in filled]
    return [
        _verdict(pair, [sheet[pair.id] for sheet in lines if pair.id in sheet]) for pair in pairs
    ]


def _verdict(pair: Pair, lines: Sequence[Mapping[str, str]]) -> Verdict:
    results = {_result(pair, line) for line in lines} or {TIE}
    reasons = [line["reason"] for line in lines]
    return Verdict(pair, results.pop() if len(results) == 1 else TIE, reasons)


def _result(pair: Pair, line: Mapping[str, str]) -> str:
    chosen = line[BETTER]
    if chosen not in {*_LETTERS, TIE} or not line["reason"]:
        raise ValueError(f"{pair.id} has no judgement (A, B or tie) with a reason.")
    if chosen == TIE:
        return TIE
    return BETTER if line[chosen] == pair.rewrite else WORSE


def as_table(found: Sequence[Verdict]) -> str:
    """Return the verdicts as a table in Markdown, with the shares in front."""
    lines = [f"{share(found)}\n", "| prompt | added | rewrite is | because |", "|---|---|---|---|"]
    for verdict in found:
        pair = verdict.pair
        added = pair.rewrite.removeprefix(pair.prompt).lstrip("，,. ") or "–"
        reasons = "; ".join(dict.fromkeys(verdict.reasons))
        lines.append(f"| {pair.prompt} ({pair.type}) | {added} | {verdict.result} | {reasons} |")
    return "\n".join(lines) + "\n"


def share(found: Sequence[Verdict]) -> str:
    """Return in words how many rewrites are better and worse."""
    counts = Counter(verdict.result for verdict in found)
    parts = [
        f"{name} {counts[name]} ({100 * counts[name] / len(found):.0f} %)" for name in _RESULTS
    ]
    return f"{len(found)} pairs: {', '.join(parts)}"


_RESULTS = (BETTER, TIE, WORSE)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a .jsonl file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write objects as a .jsonl file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")


def main() -> int:
    """Run a step; the exit status is 1 where it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prompts.pairs", description=__doc__)
    parser.add_argument("step", choices=["rewrite", "sheets", "tally"])
    parser.add_argument("folder", type=Path, help="of pairs.jsonl and the sheets")
    parser.add_argument("--prompts", type=Path, help="the set to rewrite")
    parser.add_argument("--at-once", type=int, default=1, help="so many calls in progress")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    choices = parser.parse_args()
    try:
        _run(choices)
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(choices: argparse.Namespace) -> None:
    known = choices.folder / "pairs.jsonl"
    if choices.step == "rewrite":
        found = rewritten(choices.prompts, choices.at_once)
        write_lines(known, (vars(pair) for pair in found))
        return
    pairs = [Pair(**row) for row in read_lines(known)]
    paths = [choices.folder / name for name in _SHEETS]
    if choices.step == "sheets":
        for path, sheet in zip(paths, sheets(pairs, choices.seed), strict=True):
            write_lines(path, sheet)
        return
    print(as_table(verdicts(pairs, [read_lines(path) for path in paths])))


if __name__ == "__main__":
    sys.exit(main())
