"""The hooks of gunicorn.conf.py that have no other test."""

import subprocess
import sys

from tests.support.service import REPOSITORY_ROOT

FORK = """
import gc, runpy
hooks = runpy.run_path("gunicorn.conf.py")
hooks["pre_fork"](None, None)
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_a_worker_s_collections_leave_the_master_s_objects_alone() -> None:
    """Else they would copy every page that worker and master share."""
    ran = subprocess.run(
        [sys.executable, "-c", FORK],
        cwd=REPOSITORY_ROOT,
        env={"FAST_LLM_API_URL": "http://127.0.0.1:1/v1", "FAST_LLM_MODEL": "m"},
        capture_output=True,
        text=True,
        check=True,
    )
    frozen, collected = map(int, ran.stdout.split())

    assert frozen > 10_000
    assert collected < 100
