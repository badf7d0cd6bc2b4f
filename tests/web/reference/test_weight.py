"""The pages of the API document are compressed on their way, but for a token in them."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import flask_swagger_ui
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.tables import each
from tests.web.console.signed_in import SignedIn
from tests.web.keyed import ADMIN, CLOSED

GZIP = {"Accept-Encoding": "gzip"}
REFERENCE = "/reference"
SWAGGER_UI = "/docs/swagger-ui/"
FOLDER = Path(flask_swagger_ui.__file__).parent / "dist"
MOST_BYTES = 300_000  # of a page at its first view


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys: browsers sign in."""
    return CLOSED


@each("path", [REFERENCE, f"{SWAGGER_UI}swagger-ui.css", f"{SWAGGER_UI}swagger-ui-bundle.js"])
def test_what_is_large_is_compressed_for_those_who_take_that(module_app: Flask, path: str) -> None:
    client = module_app.test_client()

    with client.get(path, headers=GZIP) as small, client.get(path) as plain:
        hold_alike(small, plain)


def hold_alike(small: TestResponse, plain: TestResponse) -> None:
    """Expect of a response that it is another one, compressed."""
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(small.data) == plain.data
    assert small.headers["Content-Type"] == plain.headers["Content-Type"]
    assert len(small.data) < len(plain.data) / 3
    for answer in (small, plain):
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_the_reference_is_light(module_app: Flask) -> None:
    answer = module_app.test_client().get(REFERENCE, headers=GZIP)

    assert len(answer.data) < MOST_BYTES


def test_a_page_with_the_token_of_a_session_is_not_compressed(module_app: Flask) -> None:
    browser = SignedIn.with_key(module_app, ADMIN)

    answer = browser.client.get(REFERENCE, headers=GZIP)

    assert browser.token in answer.text
    assert "Content-Encoding" not in answer.headers


def test_browsers_keep_the_files_of_swagger_ui(module_app: Flask) -> None:
    client, path = module_app.test_client(), f"{SWAGGER_UI}swagger-ui.css"
    tag = client.get(path, headers=GZIP).headers["ETag"]

    again = client.get(path, headers={**GZIP, "If-None-Match": tag})

    assert (again.status_code, again.data) == (304, b"")


def test_other_files_of_swagger_ui_are_as_they_are(module_app: Flask) -> None:
    name = "favicon-32x32.png"
    with module_app.test_client().get(SWAGGER_UI + name, headers=GZIP) as answer:
        assert answer.data == (FOLDER / name).read_bytes()
        assert "Content-Encoding" not in answer.headers
