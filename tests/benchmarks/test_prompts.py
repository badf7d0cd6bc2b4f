"""The prompt bench: sets are read, outputs scored, and a service that does nothing wins nothing."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.prompts.checker import proof
from benchmarks.prompts.report import as_json, as_markdown, as_svg, summarize
from benchmarks.prompts.rows import OWN_SET, Row, load, sample
from benchmarks.prompts.scoring import Output, score
from benchmarks.prompts.service import replay_all

ROWS = load(OWN_SET)
CAT = Row("1", "tiny", "en", "image", "three cats on a sill")
REWRITE = "Three cats on a sill in soft morning light, centered composition, muted palette."


def test_a_folder_is_read_as_its_files(tmp_path: Path) -> None:
    row = {"id": "a", "language": "en", "type": "image", "prompt": "a cat"}
    (tmp_path / "one.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "two.jsonl").write_text(json.dumps({**row, "id": "b"}) + "\n\n")

    assert [(row.id, row.set_name) for row in load(tmp_path)] == [("a", "one"), ("b", "two")]


@pytest.mark.parametrize("text", ["", "{}", "no json"])
def test_what_is_no_set_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "set.jsonl").write_text(text)

    with pytest.raises(ValueError, match=r"prompt"):
        load(tmp_path)


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    assert sample(ROWS, 5, 1) == sample(ROWS, 5, 1) != sample(ROWS, 5, 2)
    assert len(sample(ROWS, 5, 1)) == 5
    assert sample(ROWS, None, 1) == ROWS


def test_a_good_output_is_kept_and_enriched() -> None:
    scored = score(CAT, Output(REWRITE))

    assert scored.is_kept
    assert scored.checks["two new facets"]
    assert scored.new_facets == 3


def test_identity_keeps_everything_and_adds_nothing() -> None:
    scored = score(CAT, Output(CAT.prompt))

    assert scored.is_kept
    assert not scored.checks["two new facets"]
    assert not scored.checks["in band"]


def test_a_fallback_fails_what_applies() -> None:
    scored = score(CAT, Output(CAT.prompt, is_fallback=True))

    assert scored.checks["counts"] is False
    assert scored.checks["quotes"] is None
    assert not scored.is_kept


def test_the_report_tells_all_figures_in_three_forms() -> None:
    summaries = summarize("me", [score(CAT, Output(REWRITE)), score(CAT, Output(CAT.prompt))])

    assert "| two new facets (2) |  | 50.0 % |" in as_markdown(summaries)
    assert as_json(summaries)["results"][0]["rows"] == 2
    assert ET.fromstring(as_svg(summaries)).tag.endswith("svg")  # noqa: S314  # our own


@pytest.mark.parametrize(("count", "slow"), [(1, 1.0), (2, 2.0), (20, 19.0), (100, 95.0)])
def test_the_slow_twentieth_is_never_faster_than_the_middle(count: int, slow: float) -> None:
    outputs = [Output(REWRITE, latency_ms=float(one)) for one in range(count, 0, -1)]

    [summary] = summarize("me", [score(CAT, one) for one in outputs])

    assert summary.latency_p95_ms == slow
    assert summary.latency_p50_ms == (count + 1) / 2


def test_recorded_outputs_go_through_the_service() -> None:
    texts = {"1": "A woman and three cats on a sill, centered composition, muted palette."}

    [spoilt] = replay_all([CAT], texts, lambda _: None)

    assert spoilt.is_fallback
    assert "person_added" in spoilt.problems
    assert spoilt.calls == 2


def test_the_checker_proves_itself_on_a_set() -> None:
    told = proof(ROWS[:3])

    assert "3 of 3 rewrites pass" in told
    assert "(100.00 %)" in told
