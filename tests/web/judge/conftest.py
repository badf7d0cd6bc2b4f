"""The application with a scripted vision model."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.judge import SCORE_IMAGE, data_uri, judge_env
from tests.support.pictures import picture
from tests.support.upstream import ScriptedUpstream

Ask = Callable[..., TestResponse]
CAT = data_uri(picture(size=(64, 48)))


@pytest.fixture(scope="module")
def seer() -> Iterator[ScriptedUpstream]:
    """Run the vision model of the module's application."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def module_env(seer: ScriptedUpstream) -> Mapping[str, str]:
    """Configure it."""
    return judge_env(seer.url)


@pytest.fixture
def client(module_app: Flask, seer: ScriptedUpstream) -> FlaskClient:
    """Call that application without a socket in between."""
    seer.clear()
    return module_app.test_client()


@pytest.fixture
def judge(client: FlaskClient) -> Ask:
    """Ask for a picture to be judged: a grey one unless the body has others."""

    def post(**body: object) -> TestResponse:
        headers = body.pop("headers", None)
        given = {} if "images" in body or "image" in body else {"image": CAT}
        return client.post(SCORE_IMAGE, json={**given, **body}, headers=headers)

    return post
