"""Language and theme: chosen in a browser, or as it prefers."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.console.own_paths import safe_path
from tests.support.tables import each

CHOOSE = "/console/preferences"


@pytest.fixture
def visitor(module_app: Flask) -> FlaskClient:
    """Visit the module's application with a browser of its own."""
    return module_app.test_client()


@each(
    ("accepted", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("en-GB", "en"), ("fr", "en"), ("", "en")],
)
def test_the_browser_says_the_language(visitor: FlaskClient, accepted: str, language: str) -> None:
    page = visitor.get("/", headers={"Accept-Language": accepted})

    assert f'<html lang="{language}"' in page.text
    assert page.headers["Vary"] == "Accept-Language, Cookie"


def test_a_language_that_was_chosen_stays(visitor: FlaskClient) -> None:
    answer = visitor.post(CHOOSE, data={"language": "zh", "next": "/console/chat"})

    assert (answer.status_code, answer.location) == (303, "/console/chat")
    assert '<html lang="zh-CN"' in visitor.get("/", headers={"Accept-Language": "en"}).text


def test_a_theme_that_was_chosen_stays(visitor: FlaskClient) -> None:
    visitor.post(CHOOSE, data={"theme": "dark", "next": "/"})

    assert 'data-theme="dark"' in visitor.get("/").text


def test_what_is_no_choice_changes_nothing(visitor: FlaskClient) -> None:
    answer = visitor.post(CHOOSE, data={"theme": "pink", "language": "xx", "next": "/"})

    assert "Set-Cookie" not in answer.headers


@each(
    ("target", "path"),
    [
        ("/console/chat?a=1", "/console/chat?a=1"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\t/evil.example", "/"),
        ("console", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_led_to_another_host(target: str, path: str) -> None:
    assert safe_path(target) == path
