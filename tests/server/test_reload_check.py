"""What is checked of a new configuration before any worker has it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_api.server import reload_check
from llm_api.settings import held_files
from llm_api.settings.sources import files_of

ProblemOf = Callable[[str], object]
FAST = "FAST_LLM_API_URL=https://host.example/v1\nFAST_LLM_MODEL=m\nFAST_LLM_API_KEY=canary-1\n"


@pytest.fixture
def problem_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProblemOf:
    """Return what is wrong with a new .env, of a service that was started with FAST."""

    def problem(text: str) -> object:
        loaded = "import_app"  # it makes the folders that it writes into
        monkeypatch.setattr(reload_check, loaded, lambda _: (tmp_path / "loaded").touch())
        monkeypatch.setattr(sys, "path", sys.path[:])
        (tmp_path / ".env").write_text(FAST)
        old = {str(path): held.decode("latin-1") for path, held in files_of(None, tmp_path).items()}
        (tmp_path / ".env").write_text(text)
        order = {
            "application": "wsgi:app",
            "path": sys.path,
            "root": str(tmp_path),
            "addresses": ["127.0.0.1:8000"],
            "files": old,
        }
        try:
            return reload_check.found(order).get("problem")
        finally:
            held_files.hold_none()

    return problem


def test_another_folder_to_write_into_is_refused(problem_of: ProblemOf, tmp_path: Path) -> None:
    assert problem_of(FAST + "INSTANCE_DIR=elsewhere\n") == (
        "INSTANCE_DIR is another folder; move what is in it, and restart the service"
    )
    assert not (tmp_path / "loaded").exists()
    assert problem_of(FAST + "INSTANCE_DIR=./instance\n") is None
    assert (tmp_path / "loaded").exists()


def test_all_that_is_wrong_is_one_line(problem_of: ProblemOf) -> None:
    assert problem_of(FAST + "LOG_FORMAT=xml\nINSTANCE_DIR=~/data\n") == (
        "The settings are wrong: INSTANCE_DIR must be the path of a folder, in full and without ~."
        " LOG_FORMAT must be auto, json or text."
    )
