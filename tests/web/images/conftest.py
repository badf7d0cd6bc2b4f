"""The application with a studio in place of its services of pictures."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.web.request.context import EXTENSION
from tests.web.images.studio import Studio

Ask = Callable[..., TestResponse]
GENERATE = "/api/v1/images/generate"
GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"


@pytest.fixture
def studio(module_app: Flask) -> Iterator[Studio]:
    """Put a studio into the module's application, for one test."""
    services = module_app.extensions[EXTENSION]
    studio = Studio()
    module_app.extensions[EXTENSION] = replace(services, images=studio, files=studio)
    yield studio
    module_app.extensions[EXTENSION] = services


@pytest.fixture
def client(module_app: Flask, studio: Studio) -> FlaskClient:
    """Call that application without a socket in between."""
    del studio
    return module_app.test_client()


@pytest.fixture
def generate(client: FlaskClient) -> Ask:
    """Ask the REST route for pictures."""

    def post(**body: object) -> TestResponse:
        headers = body.pop("headers", None)
        return client.post(GENERATE, json={"prompt": "A cat", **body}, headers=headers)

    return post


@pytest.fixture
def generations(client: FlaskClient) -> Ask:
    """Ask OpenAI's route for pictures."""

    def post(**body: object) -> TestResponse:
        headers = body.pop("headers", None)
        return client.post(GENERATIONS, json={"prompt": "A cat", **body}, headers=headers)

    return post
