"""Score prompt rewriting: `python -m benchmarks.prompts` from the repository root.

Without options the bundled model rewrites our own set. Identity, which keeps everything and adds
nothing, stands beside every result.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.harness.servers import BenchmarkError
from benchmarks.prompts.checker import proof
from benchmarks.prompts.report import Summary, as_json, as_markdown, as_svg, summarize
from benchmarks.prompts.rows import OWN_SET, Row, load, sample
from benchmarks.prompts.scoring import Output, score
from benchmarks.prompts.service import BUNDLED, replay_all, rewrite_all

ANNOUNCE_EVERY = 50


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prompts", description=__doc__)
    parser.add_argument("--prompts", type=Path, default=OWN_SET, help="a .jsonl file or a folder")
    parser.add_argument("--rows", type=int, help="a sample of so many prompts")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--url", help="an OpenAI-compatible upstream, up to /v1")
    parser.add_argument("--key", default="", help="its key")
    parser.add_argument("--model", default="default", help="its model")
    parser.add_argument("--at-once", type=int, default=1, help="so many calls in progress")
    parser.add_argument(
        "--recorded",
        action="append",
        default=[],
        help="score recorded outputs: a .jsonl file of id and output, or a rewriter of the set",
    )
    parser.add_argument(
        "--through", action="store_true", help="send the recorded outputs through the service, too"
    )
    parser.add_argument("--plain", action="store_true", help="send them as text instead of JSON")
    parser.add_argument("--checker", action="store_true", help="prove the checker itself, no more")
    parser.add_argument("--out", type=Path, help="a folder for results.json, .md and .svg")
    return parser.parse_args(arguments)


def announce(number: int) -> None:
    """Print the progress to standard error, so that the report stays clean."""
    if number % ANNOUNCE_EVERY == 0:
        print(f"{number} prompts", file=sys.stderr, flush=True)


def run(choices: argparse.Namespace) -> list[Summary]:
    """Score what was chosen.

    Raises ValueError for sets that cannot be read and answers that are none, BenchmarkError where
    the service does not start.
    """
    rows = sample(load(choices.prompts), choices.rows, choices.seed)
    if choices.recorded:
        summaries = []
        for name in choices.recorded:
            summaries += _recorded(rows, name, choices)
        return summaries
    settings = _settings(choices)
    outputs = rewrite_all(rows, settings, announce, at_once=choices.at_once)
    name = choices.model if choices.url else "bundled model"
    return [*_identity(rows), *_scored(name, rows, outputs)]


def _settings(choices: argparse.Namespace) -> Mapping[str, str]:
    if not choices.url:
        return BUNDLED
    return {
        "FAST_LLM_API_URL": choices.url,
        "FAST_LLM_API_KEY": choices.key,
        "FAST_LLM_MODEL": choices.model,
    }


def _recorded(rows: Sequence[Row], name: str, choices: argparse.Namespace) -> list[Summary]:
    texts = _texts(rows, name)
    known = [row for row in rows if row.id in texts]
    if not known:
        raise ValueError(f"There are no recorded outputs of {name} for these prompts.")
    before = [Output(texts[row.id]) for row in known]
    label = Path(name).stem if name.endswith(".jsonl") else name
    found = [*_identity(known), *_scored(f"{label}, as written", known, before)]
    if choices.through:
        after = replay_all(known, texts, announce, is_json=not choices.plain)
        found += _scored(f"{label}, through the service", known, after)
        answered = [
            (row, output)
            for row, output in zip(known, after, strict=True)
            if not output.is_fallback
        ]
        found += _scored(
            f"{label}, rewrites given",
            [row for row, _ in answered],
            [output for _, output in answered],
        )
    return found


def _texts(rows: Sequence[Row], name: str) -> Mapping[str, str]:
    if not name.endswith(".jsonl"):
        return {row.id: row.rewrites[name] for row in rows if name in row.rewrites}
    lines = Path(name).read_text("utf-8").splitlines()
    documents = [json.loads(line) for line in lines if line.strip()]
    return {document["id"]: document["output"] for document in documents}


def _identity(rows: Sequence[Row]) -> list[Summary]:
    return _scored("identity", rows, [Output(row.prompt) for row in rows])


def _scored(name: str, rows: Sequence[Row], outputs: Sequence[Output]) -> list[Summary]:
    return summarize(name, [score(row, output) for row, output in zip(rows, outputs, strict=True)])


def write(folder: Path, texts: Mapping[str, Callable[[], str]]) -> None:
    """Write the report's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text(), "utf-8")


def main() -> int:
    """Run the bench; the exit status is 1 where something could not be measured."""
    choices = parse_arguments()
    try:
        if choices.checker:
            print(proof(load(choices.prompts)))
            return 0
        summaries = run(choices)
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(as_markdown(summaries))
    if choices.out:
        write(
            choices.out,
            {
                "results.json": lambda: json.dumps(as_json(summaries), indent=2) + "\n",
                "results.md": lambda: as_markdown(summaries),
                "results.svg": lambda: as_svg(summaries),
            },
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
