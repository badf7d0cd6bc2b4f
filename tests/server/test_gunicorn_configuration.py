"""The hooks of gunicorn.conf.py that have no other test."""

import subprocess
import sys
from pathlib import Path

from tests.support.service import REPOSITORY_ROOT

FORK = """
import gc, runpy
from types import SimpleNamespace
hooks = runpy.run_path("gunicorn.conf.py")
metrics = SimpleNamespace(folder=None, free_slot=lambda taken: 0)
hooks["pre_fork"](SimpleNamespace(metrics=metrics, WORKERS={}), SimpleNamespace())
print(gc.get_freeze_count(), len(gc.get_objects()))
"""
START = """
import gc, runpy
from types import SimpleNamespace
hooks = runpy.run_path("gunicorn.conf.py")
hooks["post_fork"](None, None)
found = [gc.get_threshold()[2]]
from wsgi import app
from llm_api.app import close_app
hooks["post_worker_init"](SimpleNamespace(wsgi=app, age=1, metrics_folder=None, slot=0))
print(*found, gc.get_threshold()[2], gc.get_freeze_count())
close_app(app)
"""


def ran(program: str, folder: Path) -> list[str]:
    """Run a program in a process of its own, and return the words that it prints."""
    url = f"sqlite:///{folder / 'a.db'}"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY_ROOT,
        env={"DATABASE_URL": url, "FAST_LLM_API_URL": "http://127.0.0.1:1", "FAST_LLM_MODEL": "m"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()


def test_a_worker_s_collections_leave_the_master_s_objects_alone(tmp_path: Path) -> None:
    """Else they would copy every page that worker and master share."""
    frozen, collected = map(int, ran(FORK, tmp_path))

    assert frozen > 10_000
    assert collected < 100


def test_all_is_looked_through_only_after_the_application_is_loaded(tmp_path: Path) -> None:
    while_loading, afterwards, frozen = map(int, ran(START, tmp_path))

    assert while_loading > 100_000
    assert afterwards <= 10
    assert frozen > 100_000
