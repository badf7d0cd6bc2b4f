"""The application with a scripted rewriter, and a scripted judge who sees what the sketch draws."""

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from llm_api.services.images.layout_sketch.palette import COLORS
from tests.conftest import AppOf
from tests.support.judge import always, checkpoints_in, judge_env, judge_that, pictures_in
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, completion
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

Ask = Callable[..., TestResponse]
GENERATE = "/api/v1/images/generate"
PROMPT = "A red cat and a blue dog"
SPOTS = 200  # pixels of a color, from which on something has it


def sees(data: bytes, color: str) -> bool:
    """Whether something in a drawing has a color of the sketch's palette."""
    wanted = tuple(int(COLORS[color][at : at + 2], 16) for at in (1, 3, 5))
    with Image.open(io.BytesIO(data)) as image:
        found = image.convert("RGB").getcolors(image.width * image.height) or []
    return sum(count for count, rgb in found if rgb == wanted) >= SPOTS


def looking_judge(request: RecordedRequest) -> Reply:
    """Answer as a model that sees the drawing: a dog is there if something is blue."""
    pictures = pictures_in(request)
    has_dog = bool(pictures) and sees(pictures[0], "blue")
    asked = [one["question"] for one in checkpoints_in(request)]
    judge = judge_that(
        aligns="good" if has_dog or not asked else "poor",
        answers=lambda question: "yes" if has_dog or "dog" not in question else "no",
    )
    return judge(request)


def rewritten(text: str) -> Reply:
    """Answer as a model that rewrites."""
    return completion(json.dumps({"optimized_prompt": text}))


@pytest.fixture
def seer() -> Iterator[ScriptedUpstream]:
    """Run a judge that sees."""
    with ScriptedUpstream() as server:
        server.script(*always(looking_judge, 200))
        yield server


@pytest.fixture
def env(upstream_env: Mapping[str, str], seer: ScriptedUpstream) -> dict[str, str]:
    """Configure both."""
    return {**upstream_env, **judge_env(seer.url)}


@pytest.fixture
def app(app_of: AppOf, env: Mapping[str, str]) -> Iterator[Flask]:
    """Build the application; what it still measures is waited for before it is closed."""
    yield app_of(env)
    wait_until(lambda: not is_measuring(), 60, "nothing is measured any more")


def is_measuring() -> bool:
    """Whether a picture is measured whose verdict nobody waits for: its judge has failed."""
    return any(thread.name == "measuring" for thread in threading.enumerate())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Call it without a socket in between."""
    return app.test_client()


@pytest.fixture
def generate(client: FlaskClient) -> Ask:
    """Ask for a drawing."""

    def post(**body: object) -> TestResponse:
        given = {"prompt": PROMPT, "model": "layout-sketch", "size": "256x256", **body}
        return client.post(GENERATE, json=given)

    return post
