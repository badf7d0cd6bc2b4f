"""The bundled model, started and ready, for tests that want a server that none of us wrote."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.bundled_model.model import BundledModel
from tests.support.ports import LOOPBACK
from tests.support.waiting import wait_until

READY_TIMEOUT = 60.0


@contextmanager
def running_model() -> Iterator[BundledModel]:
    """Run the bundled model until the block ends."""
    model = BundledModel(PROJECT_ROOT)
    model.start()
    try:
        wait_until(lambda: is_healthy(model), READY_TIMEOUT, "the bundled model is ready")
        yield model
    finally:
        model.stop()


def without_engine(folder: Path) -> Path:
    """Return a folder for PYTHONPATH that hides the engine as on a system without its library."""
    why = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (folder / "xllamacpp.py").write_text(f"raise ImportError({why!r})\n")
    return folder


def is_healthy(model: BundledModel) -> bool:
    """Tell whether the child answers GET /health with 200 now."""
    try:
        return get(model, "/health")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def get(model: BundledModel, path: str, *, key: str | None = None) -> tuple[int, Any]:
    """Ask the child itself; return status and JSON."""
    headers = {"Authorization": f"Bearer {model.key if key is None else key}"}
    connection = http.client.HTTPConnection(LOOPBACK, model.port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
