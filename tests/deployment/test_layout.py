"""The layout of deploy/compose.yaml without containers: all servers, and a service without rights.

It may not change the wheel, nor the folder in which it is run: it has two to write into, for its
data and for what is temporary.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.storage.checkout import fast_upstream
from tests.support.paced import Gated
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Child
from tests.support.servers import PostgresServer, ValkeyServer
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wheel import Installation, InstalledService, install_wheel
from tests.test_nginx import CERTIFICATES, NGINX, configuration, listens
from tests.web.refusals import COMPLETIONS, good_body
from tests.web.streams import HELLO, STOP, frame

PATIENCE = 60.0
ADMIN_KEY = "sk-admin-0123456789abcdef0123456789"
SETPRIV = shutil.which("setpriv")
# A root without capabilities is held to the permissions of files, as everybody else is.
WITHOUT_RIGHTS = [str(SETPRIV), "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
IS_ROOT = os.geteuid() == 0
pytestmark = [
    pytest.mark.more,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(IS_ROOT and SETPRIV is None, reason="setpriv is not installed"),
]


@dataclass(frozen=True)
class Layout:
    """All that runs: the service, and nginx at `url` in front of it."""

    installation: Installation
    service: InstalledService
    url: str
    trusts: str = str(CERTIFICATES / "authority.pem")

    def post(self, path: str, body: object, key: str, *, stream: bool = False) -> requests.Response:
        """Send a request through nginx."""
        with requests.Session() as session:
            session.trust_env = False  # REQUESTS_CA_BUNDLE would win
            return session.post(
                self.url + path,
                json=body,
                headers={"Authorization": f"Bearer {key}"},
                verify=self.trusts,
                timeout=PATIENCE,
                stream=stream,
            )


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Install the wheel so that nobody without rights can change it."""
    made = install_wheel(tmp_path)
    for name in ("instance", "tmp"):
        (made.home / name).mkdir()
    folders = [p for p in (tmp_path / "environment").rglob("*") if p.is_dir()]
    closed = [path for path in (*folders, made.home) if not path.is_symlink()]
    for path in closed:
        path.chmod(0o555)
    yield made
    for path in closed:
        path.chmod(0o755)


@pytest.fixture
def layout(
    installation: Installation, postgres: PostgresServer, upstream: ScriptedUpstream, tmp_path: Path
) -> Iterator[Layout]:
    """Run everything."""
    with ValkeyServer(tmp_path) as valkey:
        env = fast_upstream(upstream.url) | {
            "DATABASE_URL": postgres.new_database(),
            "RATELIMIT_STORAGE_URI": valkey.url,
            "ADMIN_API_KEY": ADMIN_KEY,
            "REQUIRE_API_KEY": "true",
            "TRUSTED_PROXIES": "1",
            "WEB_CONCURRENCY": "2",
            "TMPDIR": str(installation.home / "tmp"),
        }
        before = WITHOUT_RIGHTS if IS_ROOT else []
        with (
            InstalledService(installation, tmp_path, env, before=before) as service,
            nginx_before(service, tmp_path / "nginx") as url,
        ):
            yield Layout(installation, service, url)


@contextmanager
def nginx_before(service: InstalledService, home: Path) -> Iterator[str]:
    """Run nginx with docs/nginx.conf, and return its URL."""
    port = free_port()
    home.mkdir()
    (home / "nginx.conf").write_text(configuration(service, port, home))
    command = [str(NGINX), "-e", "stderr", "-p", home, "-c", home / "nginx.conf"]
    nginx = Child(command, log=home / "log", env={"PATH": os.defpath}, cwd=home)
    try:
        wait_until(lambda: listens(port), PATIENCE, (home / "log").read_text)
        yield f"https://{LOOPBACK}:{port}"
    finally:
        nginx.end(signal.SIGTERM, 5)


def test_calls_are_answered_and_drained_and_nothing_is_written_elsewhere(
    layout: Layout, upstream: ScriptedUpstream
) -> None:
    before = layout.installation.files()
    key = layout.post("/api/v1/keys", {"name": "app"}, ADMIN_KEY).json()["secret"]

    assert layout.post(COMPLETIONS, good_body(COMPLETIONS), "sk-wrong").status_code == 401
    for _ in range(10):
        assert layout.post(COMPLETIONS, good_body(COMPLETIONS), key).status_code == 200
    reply = Gated([frame(HELLO), frame(STOP) + frame("[DONE]")])
    upstream.script(reply)
    reply.let_go()
    body = good_body(COMPLETIONS) | {"stream": True}
    with layout.post(COMPLETIONS, body, key, stream=True) as answer:
        pieces = answer.iter_content(None)
        assert b"Hel" in next(pieces)
        os.kill(layout.service.pid, signal.SIGTERM)
        reply.let_go()
        assert b"[DONE]" in b"".join(pieces)
    assert layout.service.terminate(PATIENCE) == 0

    assert [row["status"] for row in layout.service.usage_rows()] == ["ok"] * 11
    assert layout.installation.files() == before
    home = layout.installation.home
    assert {path.name for path in home.iterdir()} == {"instance", "tmp"}
    assert list((home / "tmp").iterdir()) == []
