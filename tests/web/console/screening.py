"""A service with a scripted vendor of films for a browser, and films that a browser can play."""

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from llm_api.app import close_app, create_app
from llm_api.settings.settings import Settings
from tests.support.browsing import WORK_MS
from tests.support.film_upstream import FilmVendor, write_quick_config
from tests.support.ports import LOOPBACK
from tests.support.schema import give_schema
from tests.web.videos.cinema import PRICED, PRICES

REFERENCES = "doubao-seedance-2-0-260128"  # takes nine pictures, three films and three sounds
REFERRING = f"""
[models."{REFERENCES}"]
kind = "video"
upstream = "video"
"""
# Films that tests put together byte by byte are read by tools, and played by nobody.
_RECORD = """async () => {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 320, height: 180 });
  const brush = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const end = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  for (let step = 0; step < 20; step += 1) {
    brush.fillStyle = "#9cc4e4";
    brush.fillRect(0, 0, 320, 120);
    brush.fillStyle = "#3f7d4e";
    brush.fillRect(0, 120, 320, 60);
    brush.fillStyle = "#c0392b";
    brush.fillRect(60 + step * 8, 70 - step * 2, 26, 26);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  recorder.stop();
  await end;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));
}"""


def recorded_film(page: Page) -> bytes:
    """Return half a second of WebM, of a red square that rises over a green hill."""
    return base64.b64decode(page.evaluate(_RECORD))


@contextmanager
def filming(folder: Path, vendor: FilmVendor, env: Mapping[str, str]) -> Iterator[str]:
    """Run a service in this process whose films are made by a vendor; yields its address.

    It looks at the vendor's tasks ten times a second: its configuration is one of its own.
    """
    write_quick_config(folder / "config")
    with (folder / "config" / "models.toml").open("a", encoding="utf-8") as models:
        models.write(PRICES + REFERRING)
    url = f"sqlite:///{folder / 'test.db'}"
    give_schema(url)
    of_films = {
        "DATABASE_URL": url,
        "VIDEO_LLM_API_URL": vendor.url,
        "VIDEO_LLM_API_KEY": "sk-canary-of-films",
        "VIDEO_LLM_MODEL": PRICED,
        "VIDEO_LLM_PROFILE": "volcengine-ark",
        "RATE_LIMIT": "1000000/minute",
        "CIRCUIT_BREAKER": "false",
    }
    app = create_app(Settings.from_env({**of_films, **env}, root=folder))
    server = make_server(LOOPBACK, 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        close_app(app)


def plan_shots(page: Page) -> None:
    """Have a script divided into shots."""
    page.get_by_text("A storyboard").click()
    page.get_by_role("button", name="On the pier").click()
    page.get_by_role("button", name="Make the shots").click()
    expect(page.locator("#shots")).to_be_focused(timeout=WORK_MS)
