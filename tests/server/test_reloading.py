"""What gunicorn's master does with SIGHUP before anything is started; tests/life has the rest."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_api.server.reloading import Reloader


def test_a_preloaded_application_is_said_to_need_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    server = SimpleNamespace(
        reload=lambda: done.append("reloaded"),
        manage_workers=lambda: None,
        app=SimpleNamespace(reload=lambda: None),
        cfg=SimpleNamespace(preload_app=True),
        log=logging.getLogger("tests.reloading"),
    )
    Reloader(server, tmp_path, list).install()

    server.reload()

    assert done == []
    assert caplog.messages == ["nothing is reloaded: with --preload a restart is needed"]
