"""What cannot be shown is a page for people, and JSON for all others."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import AppOf
from tests.storage.changing import change
from tests.support.tables import each
from tests.web.console.signed_in import OURS, SignedIn, problem_in
from tests.web.keyed import ADMIN, CLOSED, STATIC

# Of Firefox; Chromium's has pictures, too.
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NOT_THERE = "There is no page at this address."


def visit(app: Flask, path: str, language: str = "en", **options: Any) -> TestResponse:
    """Go to a page as a browser does."""
    headers = {"Accept": BROWSER, "Accept-Language": language}
    return app.test_client().open(path, headers=headers, **options)


@each(
    ("path", "language", "said"),
    [
        ("/console/nothing", "en", NOT_THERE),
        ("/console/operate/nothing", "zh-CN", "此地址没有页面。"),
        ("/docs/nothing", "en", NOT_THERE),
        ("/reference/nothing", "fr", NOT_THERE),
    ],
)
def test_an_address_without_a_page_is_answered_with_one(
    path: str, language: str, said: str, module_app: Flask
) -> None:
    answer = visit(module_app, path, language)

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert problem_in(answer) == said
    assert answer.headers["x-request-id"] in answer.text
    assert 'class="brand"' in answer.text
    assert answer.headers["Content-Language"] == language[:2].replace("fr", "en")


@each(
    ("path", "accept"),
    [
        ("/console/nothing", "*/*"),
        ("/console/nothing", "application/json"),
        ("/api/v1/nothing", BROWSER),
        ("/v1/nothing", BROWSER),
        ("/consoles", BROWSER),
        ("/console/static/0/nothing.css", BROWSER),
        ("/docs/swagger-ui/nothing.js", BROWSER),
        ("/nothing", BROWSER),
    ],
)
def test_others_and_the_api_get_json(path: str, accept: str, module_app: Flask) -> None:
    answer = module_app.test_client().get(path, headers={"Accept": accept})

    assert (answer.status_code, answer.mimetype) == (404, "application/json")
    assert "error" in answer.json


def test_a_form_that_is_visited_says_that_there_is_nothing_to_see(module_app: Flask) -> None:
    answer = visit(module_app, "/console/preferences")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
    assert problem_in(answer) == "The service can do nothing with this request."


def test_too_many_visits_are_told_when_to_come_again(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    app = app_of({**upstream_env, "RATE_LIMIT": "1/hour"})
    visit(app, "/reference")

    answer = visit(app, "/reference")

    wait = answer.headers["Retry-After"]
    assert answer.status_code == 429
    assert problem_in(answer) == (f"Too many requests have come from here. Try again in {wait} s.")


def test_a_page_is_shown_while_the_store_of_keys_is_away(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    app = app_of({**upstream_env, **CLOSED})
    signed_in = SignedIn.with_key(app, ADMIN)
    change(app.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE console_sessions")])

    answer = signed_in.client.get("/console/chat", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert problem_in(answer).startswith("The service, or a database that it needs,")


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_what_went_wrong_is_in_the_log_all_the_same(
    accept: str, module_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "llm_api.web.lifecycle"):
        module_app.test_client().get("/console/nothing", headers={"Accept": accept})

    assert reasons_in(caplog) == ["not_found"]


def test_the_log_says_what_pages_say_themselves(
    app_of: AppOf, upstream_env: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of({**upstream_env, **CLOSED})
    admin, shop = SignedIn.with_key(app, ADMIN), SignedIn.with_key(app, STATIC)
    caplog.clear()

    with caplog.at_level("INFO", "llm_api.web.lifecycle"):
        shop.client.post("/console/sign-in", data={"key": "wrong"}, headers=OURS)
        admin.client.get("/console/operate/keys/key_nobody")
        shop.client.get("/console/usage", query_string={"key": "another"})

    assert reasons_in(caplog) == ["invalid_api_key", "key_not_found", "admin_required"]


def reasons_in(caplog: pytest.LogCaptureFixture) -> list[str | None]:
    """Return the reasons that the lines of requests have."""
    lines = [one for one in caplog.records if one.message == "request"]
    return [getattr(line, "reason", None) for line in lines]
