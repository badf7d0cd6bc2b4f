"""`llm-api videos …` at a service elsewhere: made, listed, shown, cancelled and deleted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.support.film_upstream import FilmVendor


@pytest.fixture
def films(far_films: FilmVendor) -> Iterator[FilmVendor]:
    """Lend the vendor, which is done at the first look again behind the test."""
    yield far_films
    far_films.studio.polls_needed = 0


def test_a_film_is_made_listed_and_shown(ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "kite.mp4"

    made = ask("videos", "generate", "A kite", "--out", str(out), "--seconds", "4", "--json")

    document = json.loads(made.out)
    assert (made.status, document["files"]) == (0, [str(out)])
    assert out.stat().st_size == document["result"]["bytes"]
    listed = ask("videos", "list", "--status", "succeeded", "--limit", "1")
    assert listed.table[0][:3] == ["id", "status", "created"]
    assert listed.table[1][:2] == [document["id"], "succeeded"]
    assert listed.table[1][-2:] == ["A", "kite"]
    shown = ask("videos", "show", document["id"])
    assert shown.out.endswith(f"{document['result']['url']}\n")
    again = ask("videos", "show", document["id"], "--out", str(out))
    assert again.status == 2
    assert f"{out} is there already" in again.err


def test_a_film_that_is_late_is_shown_and_cancelled(
    ask: Ask, films: FilmVendor, tmp_path: Path
) -> None:
    films.studio.polls_needed = 100_000
    out = str(tmp_path / "kite.mp4")
    late = ask("videos", "generate", "A kite", "--out", out, "--wait", "0.1", "--json")
    film = json.loads(late.out)["id"]

    cancelled = ask("videos", "cancel", film)

    assert (late.status, cancelled.status) == (3, 0)
    assert cancelled.err == f"{film}: cancelled\n"
    shown = ask("videos", "show", film, "--out", out)
    assert (shown.status, shown.out) == (1, "")
    assert "The job was cancelled." in shown.err
    assert ask("videos", "delete", film, "--yes").err == f"{film} is deleted.\n"
    assert ask("videos", "show", film).status == 2
