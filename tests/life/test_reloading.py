"""SIGHUP takes up new files, says what has changed, and cuts no call."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.life.serving import (
    PATIENCE,
    Load,
    chat,
    get,
    kill,
    prepared,
    statuses,
    stream,
    wait_for_rows,
    wait_for_workers,
)
from tests.support import replies
from tests.support.paced import Gated
from tests.support.peer import RecordedRequest
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

WORKERS = 2
OLD_KEY, NEW_KEY = "sk-canary-old", "sk-canary-new"
ALIAS = '\n[models."cheap"]\nupstream = "fast"\nmodel = "scripted"\n'
BROKEN = '\n[models."cheap"]\nupstraem = "fast"\n'


class Installation:
    """A service whose files a test changes."""

    def __init__(
        self, directory: Path, upstream: ScriptedUpstream, *, conf: str = "", **env: str
    ) -> None:
        """Prepare it, with a key in a file; `conf` comes before gunicorn.conf.py."""
        self.project = directory / "project"
        self.secret = directory / "key"
        self.secret.write_text(OLD_KEY)
        key = {"FAST_LLM_API_KEY": "", "FAST_LLM_API_KEY_FILE": str(self.secret)}
        workers = {"WEB_CONCURRENCY": str(WORKERS)}
        self.service = prepared(directory, upstream, {**key, **workers, **env}, conf=conf)
        self.env_file = self.project / ".env"
        self.catalogue = self.project / "config" / "models.toml"
        self.shipped = self.catalogue.read_text()

    def hang_up(self) -> set[int]:
        """Send SIGHUP and return the workers before it."""
        workers = set(wait_for_workers(self.service, WORKERS))
        os.kill(self.service.pid, signal.SIGHUP)
        return workers

    def reload(self) -> None:
        """Send SIGHUP and wait until new workers are there."""
        count = self.service.log().count("reloaded: ")
        old = self.hang_up()
        wait_until(
            lambda: self.service.log().count("reloaded: ") > count, PATIENCE * 2, self.service.log
        )
        wait_until(
            lambda: len(set(self.service.worker_pids()) - old) == WORKERS,
            PATIENCE,
            self.service.log,
        )

    def messages(self) -> list[str]:
        """Return what was logged."""
        return [str(record["message"]) for record in self.service.log_records()]


def open_stream() -> Gated:
    """Make a stream of two pieces and the end, of which the first leaves."""
    pieces = [replies.chunk({"content": "la "}), replies.chunk({}, finish_reason="stop")]
    frames = [f"data: {json.dumps(piece)}\n\n".encode() for piece in pieces]
    gated = Gated([*frames, b"data: [DONE]\n\n"])
    gated.let_go()
    return gated


def models(service: Service) -> list[str]:
    """Return the names that are listed."""
    return [model["id"] for model in get(service, "/v1/models").json()["data"]]


def key_of(request: RecordedRequest) -> str:
    """Return the key with which the upstream was called."""
    return (request.header("Authorization") or "").removeprefix("Bearer ")


def test_a_reload_takes_up_files_and_cuts_neither_calls_nor_a_stream_that_outlives_the_grace(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(rest := open_stream())
    installation = Installation(tmp_path, upstream, SHUTDOWN_GRACE="1")
    with installation.service as service, stream(service) as answer:
        with Load(lambda session: chat(service, session), callers=2, pause=0.1) as load:
            load.wait_for(3)
            installation.catalogue.write_text(installation.shipped + ALIAS)
            installation.secret.write_text(NEW_KEY)
            installation.reload()
            load.wait_for(50)  # at least 2.5 s, and so longer than the grace
        rest.let_go(2)
        events = answer.read_events()

        assert events[-1] == b"[DONE]"
        assert set(load.counts()) == {"200"}
        wait_for_rows(service, len(load.outcomes) + 1)
        assert statuses(service) == {"ok": len(load.outcomes) + 1}
        assert "cheap" in models(service)
        # The stream began on the old key, and calls have the new one since.
        assert key_of(upstream.requests[0]) == OLD_KEY
        chat(service)
        assert key_of(upstream.requests[-1]) == NEW_KEY
        log = installation.messages()
        assert "reloaded: settings: changed FAST_LLM_API_KEY" in log
        assert "reloaded: upstreams: changed fast" in log
        assert "reloaded: models: added cheap" in log
        assert "canary" not in service.log()


def test_wrong_files_change_nothing_for_any_worker(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    installation = Installation(tmp_path, upstream)
    installation.catalogue.write_text(installation.shipped + ALIAS)
    with installation.service as service:
        installation.catalogue.write_text(installation.shipped + BROKEN)
        installation.secret.write_text("")
        installation.env_file.write_text("RATE_LIMIT=often\n")
        workers = installation.hang_up()
        wait_until(lambda: "nothing is reloaded" in service.log(), PATIENCE * 2, service.log)

        assert set(service.worker_pids()) == workers
        (problem,) = (line for line in installation.messages() if "nothing is reloaded" in line)
        assert "FAST_LLM_API_KEY_FILE must name a file that is not empty" in problem
        # One that starts afterwards is like the others.
        for pid in workers:
            kill(pid, signal.SIGKILL)
        wait_for_workers(service, WORKERS, without=workers)
        assert "cheap" in models(service)
        assert chat(service).status_code == 200
        assert key_of(upstream.requests[-1]) == OLD_KEY


@pytest.mark.more
def test_what_cannot_be_reloaded_is_named_and_a_retired_worker_ends_with_the_service(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    # The address in .env counts where the environment has none.
    conf = 'import os\nos.environ.pop("BIND", None)\n'
    installation = Installation(tmp_path, upstream, conf=conf, SHUTDOWN_GRACE="3")
    installation.env_file.write_text(f"BIND={installation.service.env['BIND']}\n")
    with installation.service as service:
        installation.catalogue.write_text(installation.shipped + BROKEN)
        installation.hang_up()
        wait_until(lambda: "nothing is reloaded" in service.log(), PATIENCE * 2, service.log)
        assert "models.cheap.upstraem: Unknown field" in service.log()

        # Old workers have the socket, too, so that no other can be opened at its place.
        installation.catalogue.write_text(installation.shipped)
        installation.env_file.write_text("BIND=0.0.0.0:1\nALLOW_OPEN_ACCESS=true\n")
        installation.reload()
        assert "a restart is needed for BIND" in installation.messages()

        wait_for_workers(service, WORKERS)  # an old one accepts calls for half a second
        upstream.script(open_stream())
        with stream(service) as answer:
            old = set(service.worker_pids())
            installation.reload()
            assert "reloaded: nothing has changed" in installation.messages()
            # An old worker that has the stream stands in for none that serves.
            serving = set(wait_for_workers(service, WORKERS + 1)) - old
            killed = serving.pop()
            kill(killed, signal.SIGKILL)
            wait_for_workers(service, WORKERS + 1, without={killed})
            assert service.terminate(PATIENCE) == 0
            assert b"server_shutdown" in answer.read_events()[-1]
