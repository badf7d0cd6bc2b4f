"""Static files: compressed, kept by browsers, of one release."""

import gzip
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.console.assets import FOLDER, address_of

STYLES = "console.css"


@pytest.fixture
def visitor(module_app: Flask) -> FlaskClient:
    """Visit the module's application."""
    return module_app.test_client()


def test_a_file_is_kept_forever_by_the_digest_in_its_address(visitor: FlaskClient) -> None:
    answer = visitor.get(address_of(STYLES))

    assert answer.data == (FOLDER / STYLES).read_bytes()
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Encoding" not in answer.headers


def test_a_file_is_compressed_for_those_that_take_it(visitor: FlaskClient) -> None:
    answer = visitor.get(address_of(STYLES), headers={"Accept-Encoding": "gzip, br"})

    assert gzip.decompress(answer.data) == (FOLDER / STYLES).read_bytes()
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_file_that_is_there_is_not_sent_again(visitor: FlaskClient, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    etag = visitor.get(address_of(STYLES), headers=headers).headers["ETag"]

    again = visitor.get(address_of(STYLES), headers={**headers, "If-None-Match": etag})

    assert (again.status_code, again.data) == (304, b"")


def test_a_file_of_another_release_is_not_kept(visitor: FlaskClient) -> None:
    """While an upgrade rolls, a page of the one release may ask a node of the other."""
    other = re.sub("static/[0-9a-f]+/", "static/0123456789abcdef/", address_of(STYLES))

    answer = visitor.get(other)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["nowhere.js", "../pages.py", "%2e%2e/pages.py", "js"])
def test_nothing_else_is_served(visitor: FlaskClient, name: str) -> None:
    assert visitor.get(f"/console/static/0/{name}").status_code == 404


def test_files_count_against_no_rate_limit(visitor: FlaskClient) -> None:
    assert "x-ratelimit-limit-requests" not in visitor.get(address_of(STYLES)).headers


def test_scripts_name_what_they_import_as_it_is_called() -> None:
    missing = [
        f"{path.name}: {name}"
        for path in FOLDER.glob("js/*.js")
        for name in re.findall(r'^import [^"]*"(\.[^"]+)"', path.read_text("utf-8"), re.MULTILINE)
        if not (path.parent / name).is_file()
    ]

    assert missing == []
