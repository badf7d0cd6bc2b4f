"""A report of a reload has the names of what has changed, and no values."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_api.server.reload_report import Configuration, changes, needing_restart
from tests.support.service import REPOSITORY_ROOT

FAST = "FAST_LLM_API_URL=https://host.example/v1\nFAST_LLM_MODEL=m\nFAST_LLM_API_KEY=canary-1\n"
VIDEO = "VIDEO_LLM_API_URL=https://host.example/v1\nVIDEO_LLM_MODEL=director\n"
ALIAS = '\n[models."cheap"]\nupstream = "fast"\n'
PRICE = '[[models."cheap".prices]]\nvalid_from = 2026-01-31\ncurrency = "CNY"\ninput = "{}"\n'
ReportOf = Callable[[dict[str, str], dict[str, str]], tuple[list[str], list[str]]]


@pytest.fixture
def report_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportOf:
    """Compare two states of an installation's files, each with texts behind what is shipped."""
    shutil.copytree(REPOSITORY_ROOT / "config", tmp_path / "config")
    monkeypatch.setenv("BIND", "")

    def read(files: dict[str, str]) -> Configuration:
        texts = {".env": FAST, **files}
        for name, text in texts.items():
            shipped = REPOSITORY_ROOT / name
            (tmp_path / name).write_text(
                (shipped.read_text("utf-8") if shipped.is_file() and name != ".env" else "") + text
            )
        return Configuration.read(tmp_path)

    def report(before: dict[str, str], after: dict[str, str]) -> tuple[list[str], list[str]]:
        old, new = read(before), read(after)
        return changes(old, new), needing_restart(old, new)

    return report


def test_what_is_added_removed_and_changed_is_named(report_of: ReportOf) -> None:
    more = FAST + "EXTRA_UPSTREAMS=backup\nBACKUP_LLM_API_URL=https://b.example/v1\n"
    more = more.replace("canary-1", "canary-2") + "BACKUP_LLM_MODEL=m\nBACKUP_LLM_API_KEY=canary\n"
    before = {"config/models.toml": ALIAS + PRICE.format("1"), "config/profiles/zhipu.toml": ""}
    after = {
        ".env": more,
        "config/models.toml": ALIAS + PRICE.format("2"),
        "config/profiles/zhipu.toml": "retryable = true\n",
        "config/profiles/new.toml": 'title = "New"\n',
    }
    shipped = (REPOSITORY_ROOT / "config" / "profiles" / "zhipu.toml").read_text("utf-8")
    assert shipped.rstrip().endswith('reason = "upstream_unavailable"')  # the end of a rule

    said, needed = report_of(before, after)

    added = "BACKUP_LLM_API_KEY, BACKUP_LLM_API_URL, BACKUP_LLM_MODEL, EXTRA_UPSTREAMS"
    assert said == [
        f"settings: added {added}; changed FAST_LLM_API_KEY",
        "upstreams: added backup; changed fast",
        "prices: changed cheap",
        "vendor profiles: added new; changed zhipu",
    ]
    assert needed == []


def test_many_names_are_counted(report_of: ReportOf) -> None:
    many = "".join(f'\n[models."cheap-{n:02}"]\nupstream = "fast"\n' for n in range(25))

    said, _ = report_of({"config/models.toml": many}, {"config/models.toml": ""})

    assert said[0].startswith("models: removed cheap-00, cheap-01, ")
    assert said[0].endswith(", cheap-19 and 5 more")


def test_what_needs_a_restart_is_named(report_of: ReportOf) -> None:
    _, needed = report_of({}, {".env": "BIND=127.0.0.1:1\nMETRICS_BIND=127.0.0.1:2\n"})

    assert needed == ["BIND", "METRICS_BIND", "FAST_LLM_API_URL"]


def test_nothing_is_said_to_be_nothing(report_of: ReportOf) -> None:
    assert report_of({}, {}) == (["nothing has changed"], [])


def test_vendors_of_films_are_named(report_of: ReportOf) -> None:
    before = {"config/videos/zhipu.toml": ""}
    new = '[models."cogvideox-4"]\nneeds_picture = true\n'
    after = {"config/videos/zhipu.toml": new, ".env": FAST + VIDEO}

    said, _ = report_of(before, after)

    assert "vendors of films: changed zhipu" in said
    assert "upstreams: added video" in said
