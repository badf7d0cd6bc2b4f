"""Builds that are compared: a commit is taken as it was committed, and leaves nothing behind."""

import subprocess
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.harness.contenders import builds, start_peers
from benchmarks.harness.installation import commit_of
from benchmarks.harness.peers import installed
from benchmarks.harness.servers import BenchmarkError, Server


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository of the test."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository with one commit, and a change since."""
    root = tmp_path / "root"
    (root / "config").mkdir(parents=True)
    (root / "config" / "models.toml").write_text("")
    (root / "wsgi.py").write_text("committed")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    (root / "wsgi.py").write_text("changed")
    return root


def test_a_commit_is_compared_with_the_files_as_they_are(repository: Path, tmp_path: Path) -> None:
    folders = builds(repository, "HEAD", tmp_path)

    texts = {name: (folder / "wsgi.py").read_text() for name, folder in folders.items()}
    assert texts == {"service": "changed", "before": "committed"}
    assert git(repository, "worktree", "list").count("\n") == 1
    assert git(repository, "status", "--porcelain") == " M wsgi.py\n"


def test_both_builds_know_the_price_of_the_benchmark_s_model(
    repository: Path, tmp_path: Path
) -> None:
    for folder in builds(repository, "HEAD", tmp_path).values():
        catalogue = tomllib.loads((folder / "config" / "models.toml").read_text())

        assert catalogue["models"]["bench-model"]["prices"][0]["currency"] == "CNY"


def test_settings_and_rows_of_the_checkout_are_not_copied(repository: Path, tmp_path: Path) -> None:
    (repository / ".env").write_text("RATE_LIMIT=1/minute")
    (repository / "instance").mkdir()

    folder = builds(repository, None, tmp_path)["service"]

    assert {path.name for path in folder.iterdir()} == {"config", "wsgi.py", ".venv", ".models"}


def test_without_a_commit_only_the_service_is_built(repository: Path, tmp_path: Path) -> None:
    assert list(builds(repository, None, tmp_path)) == ["service"]


def test_an_unknown_commit_ends_the_run(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="--compare nothing: no such commit"):
        builds(repository, "nothing", tmp_path)


def test_a_commit_is_named_with_its_changes(repository: Path, tmp_path: Path) -> None:
    short = git(repository, "rev-parse", "--short", "HEAD").strip()

    assert commit_of(repository) == f"{short}+"
    assert commit_of(repository, "HEAD~0") == short
    assert commit_of(tmp_path / "nowhere") == ""


def test_peers_that_are_not_installed_are_left_out(tmp_path: Path) -> None:
    upstream = Server("upstream", 1, 1, tmp_path / "log")
    (tmp_path / "litellm").mkdir()  # an installation that was not finished

    assert installed(tmp_path) == []
    with ExitStack() as stack:
        assert start_peers([], upstream, tmp_path, stack) == []


def test_a_peer_that_is_installed_is_found(tmp_path: Path) -> None:
    (tmp_path / "portkey").mkdir()
    (tmp_path / "portkey" / ".installed").touch()

    assert installed(tmp_path) == ["portkey"]
