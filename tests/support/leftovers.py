"""What tests leave behind: folders and garbage go with the file whose tests made them.

The folders are in memory where that can be (`tests/support/memory.py`), and copies of the project
are among them: kept to the end, they took over 5 GB.
"""

import gc
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

LastingFolder = Callable[[str], Path]

_LASTING = "lasting"


@pytest.fixture(scope="session")
def lasting_folder(tmp_path_factory: pytest.TempPathFactory) -> LastingFolder:
    """Return what makes a folder for a fixture of the session, by its name."""
    root = tmp_path_factory.getbasetemp() / _LASTING
    root.mkdir()

    def make(name: str) -> Path:
        folder = root / name
        folder.mkdir()
        return folder

    return make


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Collect what a file has left behind: an open socket is to be its own fault.

    A hook would come after pytest has asked what was raised in finalizers, and the next file's
    first test would be blamed. Folders of a file with a failure stay, to be looked at.
    """
    base, failures = tmp_path_factory.getbasetemp(), request.session.testsfailed
    earlier = {_LASTING, *(path.name for path in base.iterdir())}
    yield
    gc.collect()
    if request.session.testsfailed == failures:
        _remove(path for path in base.iterdir() if path.name not in earlier)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_symlink():
            path.unlink()
        else:
            # What another user's server, or one that is being ended, holds is left to the end.
            shutil.rmtree(path, ignore_errors=True)
