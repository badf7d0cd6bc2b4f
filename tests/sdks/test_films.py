"""Films with OpenAI's SDKs: create, poll, list, download and delete them."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sdks.running import NODE, SDKS_FOLDER, NotRun
from tests.sdks.table import COMMAND, FILMS, PAGE
from tests.support.film_upstream import FilmVendor
from tests.support.image_scene import Scene
from tests.support.pictures import picture
from tests.support.replies import Reply, json_reply
from tests.support.service import REPOSITORY_ROOT, Service

HERE = REPOSITORY_ROOT / "tests" / "sdks"
PYTHON = (REPOSITORY_ROOT / ".venv" / "bin" / "python", HERE / "programs" / "film_steps.py")
SDKS = [
    pytest.param(PYTHON, id="openai-python"),
    pytest.param((NODE, HERE / "node" / "films.mjs"), id="openai-node", marks=pytest.mark.more),
]
NOT_FOUND = {"class": "NotFoundError", "status": 404}
SEEN: dict[str, Any] = {
    "created": ["video", "queued", 0, "8", "720x1280"],
    "not_ready": {**NOT_FOUND, "code": "task_not_ready"},
    "polled": ["completed", 100, "5", None],
    "refused": ["failed", "content_filtered"],
    "retrieved": "completed",
    "listed": True,
    "content": "ftyp",
    "part": [206, "ftyp"],
    "no_thumbnail": {**NOT_FOUND, "code": "not_supported"},
    "deleted": [[True, "video.deleted"]] * 4,
    "not_there": {**NOT_FOUND, "code": "job_not_found"},
    "remixed": {**NOT_FOUND, "code": "not_supported"},
}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def vendor() -> Iterator[FilmVendor]:
    """Run a vendor that is done at the first look, and refuses one prompt."""
    with FilmVendor("ark") as running:

        def answer(scene: Scene) -> Reply:
            if b"refused" in scene.request.body:
                error = {"code": "InputTextSensitiveContentDetected", "message": "It is refused."}
                return json_reply(400, {"error": error})
            return running.dialect.create(scene)

        running.studio.polls_needed = 0
        running.on("create", *[answer] * 20)
        yield running


@pytest.fixture
def service(vendor: FilmVendor, tmp_path: Path) -> Iterator[Service]:
    """Run the service."""
    env = {
        "FAST_LLM_API_URL": vendor.url,
        "FAST_LLM_MODEL": "none",
        "VIDEO_LLM_API_URL": vendor.url,
        "VIDEO_LLM_API_KEY": "sk-canary",
        "VIDEO_LLM_MODEL": "doubao-seedance-1-0-pro-250528",
        "VIDEO_LLM_PROFILE": "volcengine-ark",
        "CIRCUIT_BREAKER": "false",
        "RATE_LIMIT": "1000000/minute",
        "FILES_URL": (tmp_path / "files").as_uri(),
    }
    with Service(tmp_path, env) as running:
        yield running


@pytest.mark.parametrize("command", SDKS)
def test_the_user_of_an_sdk_gets_films(
    command: tuple[Path, Path], service: Service, vendor: FilmVendor, tmp_path: Path
) -> None:
    runtime, program = command
    if not runtime.exists():
        message = f"{runtime} is not installed: run make test-sdks"
        raise NotRun(message)
    frame = base64.b64encode(picture(size=(400, 300))).decode()
    done = subprocess.run(
        [runtime, program, f"{service.url}/v1", frame],
        env={"HOME": str(tmp_path)},
        cwd=SDKS_FOLDER / "node" if runtime == NODE else tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    assert seen.pop("version")
    assert seen == SEEN
    roles = [[one.get("role") for one in call.json["content"]] for call in vendor.creates]
    assert roles == [[None], [None, "first_frame"], [None, "first_frame"], [None]]


def test_the_page_says_what_is_shown_here() -> None:
    assert FILMS in PAGE.read_text("utf-8"), f"docs/sdks.md is old; run {COMMAND}"
