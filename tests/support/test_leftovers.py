"""Folders of tests go with their file, unless it failed or the session needs them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.service import REPOSITORY_ROOT

FILE = """
import pytest

@pytest.fixture(scope="session")
def lasting(lasting_folder):
    return lasting_folder("NAME")

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("NAME")

def test_it(lasting, shared, tmp_path):
    for folder in (lasting, shared, tmp_path):
        (folder / "written").touch()
    assert "NAME" != "failed"
"""


def test_what_a_file_wrote_is_removed_unless_it_failed(tmp_path: Path) -> None:
    names = ["good", "failed", "later"]
    for name in names:
        (tmp_path / f"test_{name}.py").write_text(FILE.replace("NAME", name))
    kept = tmp_path / "kept"
    options = ["-p", "tests.support.leftovers", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    policy = ["-o", "tmp_path_retention_policy=failed", f"--basetemp={kept}"]
    files = [tmp_path / f"test_{name}.py" for name in names]

    subprocess.run(
        [sys.executable, "-m", "pytest", *options, *policy, *files],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
    )

    written = {path.relative_to(kept).parent.as_posix() for path in kept.rglob("written")}
    assert written == {*(f"lasting/{name}" for name in names), "failed0", "test_it1"}
