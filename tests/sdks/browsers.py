"""Browsers for tests, from the operating system's packages, without a driver.

A browser opens a page, and the page tells the test what it has seen: nothing else is asked of it.
"""

import queue
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.support.ports import LOOPBACK
from tests.support.processes import Child

_END_TIMEOUT = 10.0
# Nothing is looked up, updated, reported or restored.
_FIREFOX_SETTINGS: Mapping[str, str] = {
    "app.normandy.enabled": "false",
    "app.update.auto": "false",
    "browser.aboutwelcome.enabled": "false",
    "browser.newtabpage.enabled": "false",
    "browser.region.update.enabled": "false",
    "browser.safebrowsing.downloads.remote.enabled": "false",
    "browser.safebrowsing.malware.enabled": "false",
    "browser.safebrowsing.phishing.enabled": "false",
    "browser.shell.checkDefaultBrowser": "false",
    "browser.startup.homepage_override.mstone": '"ignore"',
    "browser.startup.page": "0",
    "datareporting.policy.dataSubmissionEnabled": "false",
    "extensions.update.enabled": "false",
    "network.captive-portal-service.enabled": "false",
    "network.connectivity-service.enabled": "false",
    "services.settings.server": f'"http://{LOOPBACK}:9"',
    "toolkit.telemetry.enabled": "false",
}


def _chromium(program: str, profile: Path, address: str) -> list[str]:
    off = ("background-networking", "component-update", "gpu", "quic", "sync")
    options = [f"--disable-{name}" for name in off]
    # It refuses its sandbox to root.
    options += ["--headless", "--no-sandbox", "--no-first-run", f"--user-data-dir={profile}"]
    return [program, *options, address]


def _firefox(program: str, profile: Path, address: str) -> list[str]:
    lines = [f'user_pref("{name}", {value});\n' for name, value in _FIREFOX_SETTINGS.items()]
    (profile / "user.js").write_text("".join(lines))
    return [program, "--headless", "--no-remote", "--profile", str(profile), address]


@dataclass(frozen=True)
class Browser:
    """A browser: the names that its program may have, and the command that opens a page."""

    name: str
    programs: tuple[str, ...]
    command: Callable[[str, Path, str], list[str]]

    @property
    def program(self) -> str | None:
        """Where the program is; None where it is not installed."""
        return next(filter(None, map(shutil.which, self.programs)), None)

    @contextmanager
    def open(self, address: str, folder: Path) -> Iterator[Child]:
        """Show a page until the end; `folder` takes the profile and the log."""
        profile = folder / self.name
        profile.mkdir()
        assert self.program is not None
        env = {"PATH": str(Path(self.program).parent), "HOME": str(folder)}
        command = self.command(self.program, profile, address)
        log = folder / f"{self.name}.log"
        child = Child(command, log=log, env=env, cwd=folder)
        try:
            yield child
        finally:
            child.end(signal.SIGTERM, _END_TIMEOUT)


BROWSERS = (
    Browser("chromium", ("chromium", "chromium-browser", "google-chrome"), _chromium),
    Browser("firefox", ("firefox-esr", "firefox"), _firefox),
)


class PageServer:
    """Serves one page with one script, and takes what the page has seen."""

    def __init__(self, script: bytes) -> None:
        """Serve `script`, on a free port of loopback."""
        self.seen: queue.Queue[bytes] = queue.Queue()
        page = b'<!doctype html><title>test</title><script type="module" src="page.js"></script>'
        contents = {"/": ("text/html", page), "/page.js": ("text/javascript", script)}
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = contents.get(self.path.partition("?")[0], ("text/plain", b""))
                self._answer(kind, body)

            def do_POST(self) -> None:
                seen.put(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer("text/plain", b"")

            def _answer(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True

    @property
    def origin(self) -> str:
        """The origin of the page."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start."""
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
