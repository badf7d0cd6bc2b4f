"""What gunicorn's master does on SIGHUP: new workers with new settings, and no call cut.

It imports neither the application nor anything that gevent must patch first.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_api.settings import held_files
from llm_api.settings.sources import files_of

_CHECK = [sys.executable, "-m", "llm_api.server.reload_check"]
_CHECK_TIMEOUT_S = 60


def hold_files(root: Path) -> None:
    """Keep the configuration below `root` for all workers, unless this master holds it already."""
    if held_files.held() is None:
        held_files.hold(files_of(None, root))


class Reloader:
    """Reloads a master whose new settings are valid; else the running service goes on.

    gunicorn gives the calls of old workers the grace time of a shutdown, counts these workers as
    if they served, and stands still meanwhile. Here they retire: they accept nothing more, end
    when their last call has ended, and are not counted.
    """

    def __init__(self, server: Any, root: Path, addresses: Callable[[], Sequence[str]]) -> None:
        """Prepare for one master.

        Args:
            server: gunicorn's arbiter.
            root: the folder of `config/` and `.env`.
            addresses: returns those that the service listens on, in the form of BIND.
        """
        self._server = server
        self._root = root
        self._addresses = addresses
        self._retired: set[int] = set()
        self._reload, self._manage = server.reload, server.manage_workers
        self._load = server.app.reload

    def install(self) -> None:
        """Replace three methods of gunicorn's."""
        self._server.reload = self.reload
        self._server.manage_workers = self._manage_others
        self._server.app.reload = self._load_for_same_address

    def reload(self) -> None:
        """Replace all workers if the new configuration is valid, and log what has changed."""
        log = self._server.log
        if self._server.cfg.preload_app:
            log.error("nothing is reloaded: with --preload a restart is needed")
            return
        found = self._checked()
        if problem := found.get("problem"):
            log.error("nothing is reloaded: %s", problem)
            return
        held_files.hold(_decoded(found["files"]))
        for sentence in found["warnings"]:
            log.warning("%s", sentence)
        for sentence in found["changes"]:
            log.info("reloaded: %s", sentence)
        if found["needs_restart"]:
            log.warning("a restart is needed for %s", ", ".join(found["needs_restart"]))
        self._retired |= set(self._server.WORKERS)
        self._server.manage_workers = self._manage  # the retired are left out already
        with self._without_retired():
            self._reload()
        self._server.manage_workers = self._manage_others
        self._manage_others()

    def _checked(self) -> dict[str, Any]:
        """Have another process read the configuration, load the application by it, and compare.

        In a process of its own: the master must not import the application.
        """
        order = {
            "application": self._server.app.app_uri,
            "path": sys.path,
            "root": str(self._root),
            "addresses": list(self._addresses()),
            "files": _encoded(held_files.held() or {}),
        }
        try:
            check = subprocess.run(  # noqa: S603  # a command of our own
                _CHECK,
                input=json.dumps(order),
                capture_output=True,
                text=True,
                timeout=_CHECK_TIMEOUT_S,
                check=False,
            )
            return dict(json.loads(check.stdout))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            return {"problem": f"the settings could not be checked ({type(error).__name__})"}

    def _load_for_same_address(self) -> None:
        """Load gunicorn's configuration anew, but for the address.

        gunicorn would close the sockets, of which old workers hold others, and end where it cannot
        open the new ones.
        """
        bind = self._server.cfg.bind
        self._load()
        self._server.app.cfg.set("bind", bind)

    def _manage_others(self) -> None:
        """Start and end workers as gunicorn does, the retired ones left out."""
        with self._without_retired():
            self._manage()
        self._retired &= set(self._server.WORKERS)
        # Of other worker classes no signal but this one ends with their calls.
        number = getattr(self._server.worker_class, "RETIRES_ON", signal.SIGTERM)
        for pid in self._retired.copy():
            # Every second: the first may come before a worker that has just started listens to it.
            self._server.kill_worker(pid, number)

    @contextmanager
    def _without_retired(self) -> Iterator[None]:
        workers = self._server.WORKERS
        retired = {pid: workers.pop(pid) for pid in self._retired & set(workers)}
        try:
            yield
        finally:
            workers.update(retired)


def _encoded(files: dict[Path, bytes] | Any) -> dict[str, str]:
    """Return files in a form for JSON, which has no bytes."""
    return {str(path): content.decode("latin-1") for path, content in files.items()}


def _decoded(files: dict[str, str]) -> dict[Path, bytes]:
    return {Path(path): content.encode("latin-1") for path, content in files.items()}
