"""A copy of the project, so that a service under test has an `instance/` and a spool of its own.

From the repository itself, services of several tests would take up each other's orphaned rows, and
a developer's `.env` would be read.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.support.service import REPOSITORY_ROOT, Schema, Service
from tests.support.timings import SHIPPED, Timings

_FOLDERS = ("llm_api", "config", "migrations")
_FILES = ("wsgi.py", "gunicorn.conf.py")
# Compiled modules are copied, too: a service that compiles all of them starts seconds later. Those
# that another process is writing have such names, and have lost them when they are to be copied.
BEING_WRITTEN = shutil.ignore_patterns("*.pyc.*")
# For the end of a copied wsgi.py: answers then say which worker has given them.
NAMES_ITS_WORKER = """

@app.after_request
def name_the_worker(response):
    import os
    response.headers["worker"] = str(os.getpid())
    return response
"""


def copy_project(target: Path) -> Path:
    """Copy what runs into a new folder and return it; the weights are only linked."""
    for name in _FOLDERS:
        shutil.copytree(REPOSITORY_ROOT / name, target / name, ignore=BEING_WRITTEN)
    for name in _FILES:
        shutil.copy2(REPOSITORY_ROOT / name, target)
    (target / ".models").symlink_to(REPOSITORY_ROOT / ".models")
    return target


def own_service(
    directory: Path,
    env: Mapping[str, str] | None = None,
    *,
    schema: Schema = "copied",
    timings: Timings = SHIPPED,
) -> Service:
    """Prepare a service from a copy of the project below `directory`."""
    root = copy_project(directory / "project")
    program = root / "wsgi.py"
    program.write_text(timings.prelude() + program.read_text())
    return Service(directory, env, root=root, schema=schema)


def fast_upstream(url: str) -> dict[str, str]:
    """Return the settings that make an address the fast upstream, called however it behaves."""
    return {
        "FAST_LLM_API_URL": url,
        "FAST_LLM_API_KEY": "sk-test",
        "FAST_LLM_MODEL": "scripted",
        "CIRCUIT_BREAKER": "false",
    }
