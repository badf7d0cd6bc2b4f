"""openai-node in a page of another origin: what its users see in real browsers."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.sdks.browsers import BROWSERS, Browser, PageServer
from tests.sdks.generated import MODULES, NODE_PROGRAMS, answer, run
from tests.sdks.running import NODE
from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

PATIENCE = 90.0
VERSIONS = ("openai-4", "openai-6", "openai-7")
SEEN = {
    "text": "Hello",
    "streamed": "Hello",
    "vectors": [[1.0, 0.5], [0.25, -2.0]],
    "refused": {
        "status": 400,
        "code": "out_of_range",
        "param": "temperature",
        "has_request_id": True,
    },
}
pytestmark = [pytest.mark.more, pytest.mark.timeout(300)]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageServer]:
    """Serve the page."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "page.mjs").write_text((NODE_PROGRAMS / "page.mjs").read_text("utf-8"))
    options = ["--bundle", "--format=esm", "--platform=browser", "--outfile=page.js"]
    run(NODE, MODULES / "esbuild/bin/esbuild", "page.mjs", *options, folder=folder)
    with PageServer((folder / "page.js").read_bytes()) as server:
        yield server


@pytest.mark.parametrize("browser", BROWSERS, ids=lambda browser: browser.name)
def test_a_page_of_another_origin_can_use_openai_node(
    browser: Browser, page: PageServer, tmp_path: Path
) -> None:
    if browser.program is None:
        pytest.skip(f"{browser.programs[0]} is not installed")
    with ScriptedUpstream() as upstream:
        upstream.script(*[replies.answer_with(answer)] * 100)
        env = {**fast_upstream(upstream.url), "CORS_ORIGINS": page.origin, "RATE_LIMIT": "99/hour"}
        with own_service(tmp_path / "service", env) as service:
            address = f"{page.origin}/?service={quote(service.url)}"
            with browser.open(address, tmp_path):
                try:
                    seen = json.loads(page.seen.get(timeout=PATIENCE))
                except queue.Empty:
                    log = (tmp_path / f"{browser.name}.log").read_text(errors="replace")
                    pytest.fail(f"the page has told nothing in {PATIENCE} s\n{log[-4000:]}")

    assert seen == dict.fromkeys(VERSIONS, SEEN)


def test_the_docs_page_shows_every_operation(tmp_path: Path) -> None:
    """Swagger UI reads the document, under the policy that we serve it with."""
    chromium = BROWSERS[0]
    if chromium.program is None:
        pytest.skip("chromium is not installed")
    with own_service(tmp_path / "service", {}) as service:
        document = requests.get(f"{service.url}/openapi.json", timeout=30).json()
        options = ["--dump-dom", "--virtual-time-budget=10000"]
        command = chromium.command(chromium.program, tmp_path / "profile", f"{service.url}/docs")
        page = run(*command, *options, folder=tmp_path)

    paths = document["paths"].values()
    operations = [one for path in paths for name, one in path.items() if name != "parameters"]
    assert len(operations) == 50
    assert [one for one in operations if f"-{one['operationId']}" not in page] == []
    assert "errors-wrapper" not in page
