"""`llm-api videos …` at a service elsewhere: made, listed, shown, cancelled and deleted."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.support.command_lines import llm_api
from tests.support.film_upstream import FilmVendor


@pytest.fixture
def films(far_films: FilmVendor) -> Iterator[FilmVendor]:
    """Lend the vendor, which is done at the first look again behind the test."""
    yield far_films
    far_films.studio.polls_needed = 0


def completed(line: str, **env: str) -> list[str]:
    """Return what Tab offers at the end of a line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    ran = llm_api({**env, **words, "_LLM_API_COMPLETE": "bash_complete"})
    return [one.partition(",")[2] for one in ran.out.splitlines()]


def test_a_film_is_made_listed_and_shown(
    ask: Ask, far_env: Mapping[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "kite.mp4"

    made = ask("videos", "generate", "A kite", "--out", str(out), "--seconds", "4", "--json")

    document = json.loads(made.out)
    assert (made.status, document["files"]) == (0, [str(out)])
    assert out.stat().st_size == document["result"]["bytes"]
    listed = ask("videos", "list", "--status", "succeeded", "--limit", "1")
    assert listed.table[0][:3] == ["id", "status", "created"]
    assert listed.table[1][:2] == [document["id"], "succeeded"]
    assert listed.table[1][-2:] == ["A", "kite"]
    assert document["id"] in completed("llm-api videos show video_", **far_env)
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


def test_shots_are_connected_by_models_that_return_last_frames(ask: Ask, tmp_path: Path) -> None:
    shot = {"number": 1, "seconds": 4, "prompt": "A kite rises."}
    board = json.dumps({"storyboard": {"shots": [shot]}})

    ran = ask("videos", "storyboard", "-", "--connected", "--out", f"{tmp_path}/a.mp4", text=board)

    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "Error: --connected needs a model that returns last frames.\n"
