"""The service writes into INSTANCE_DIR and nowhere else: all other folders may be read-only."""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.life.serving import PATIENCE, chat, get, stream
from tests.storage.checkout import copy_project, fast_upstream
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

# Runs a command that may write only where the modes of files allow it, also as root: without the
# capabilities to override modes (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER), which a
# program gets back when it starts unless they are out of the bounding set.
AS_ANYBODY = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
if os.geteuid() == 0:
    for capability in (1, 2, 3):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, "-c", '''
import os, sys
try:
    open("may-i", "w")
except OSError:
    os.execv(sys.argv[1], sys.argv[1:])
sys.exit("the folder can be written to")
''', *sys.argv[1:]])
"""
WRITABLE = ("instance", "temporary")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Path]:
    """Make an installation that nobody can write to, and two folders beside it that one can."""
    root = copy_project(tmp_path / "project")
    for name in (*WRITABLE, "home"):
        (tmp_path / name).mkdir()
    folders = [root, *(path for path in root.rglob("*") if not path.is_symlink())]
    folders.append(tmp_path / "home")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folders}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield tmp_path
    for path, mode in modes.items():
        path.chmod(mode)


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time of every file that should not change."""
    files = {}
    for path in (folder / "project", folder / "home", folder / "temporary"):
        for one in (path, *path.rglob("*")):
            found = one.lstat()
            size = 0 if one.is_dir() else found.st_size
            files[str(one)] = (size, 0 if path.name == "temporary" else found.st_mtime_ns)
    return files


def test_the_service_writes_into_its_folder_alone(
    installation: Path, upstream: ScriptedUpstream
) -> None:
    env = {
        **fast_upstream(upstream.url),
        "INSTANCE_DIR": str(installation / "instance"),
        "DATABASE_URL": "",
        "HOME": str(installation / "home"),
        "TMPDIR": str(installation / "temporary"),
    }
    through = [sys.executable, "-c", AS_ANYBODY]
    root = installation / "project"
    before = seen(installation)
    with Service(installation, env, root=root, schema="migrated", through=through) as service:
        assert get(service, "/readyz").status_code == 200
        assert chat(service).status_code == 200
        with stream(service) as answer:
            assert answer.read_events()[-1] == b"[DONE]"
        assert get(service, "/v1/models").status_code == 200
        drawn = {"model": "layout-sketch", "prompt": "a red cat and a blue dog"}
        answered = requests.post(
            f"{service.url}/api/v1/images/generate", json=drawn, timeout=PATIENCE
        )
        assert answered.status_code == 200, answered.text
        service.terminate(PATIENCE)

    assert seen(installation) == before
    written = {path.name for path in (installation / "instance").iterdir()}
    assert {"llm_api.db", "spool", "files", "lineage", "model_lists"} <= written
