"""Our class of applications finds the rules that Flask's finds, and has no sessions."""

import pytest
from flask import Flask, session
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from llm_api.web.lifecycle import Application

ASKED = [
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/chat/completions"),
    ("OPTIONS", "/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("HEAD", "/v1/models"),
    ("GET", "/v1/models/a/b"),
    ("GET", "/v1/models/"),
    ("GET", "/v1//models"),
    ("GET", "//v1/models"),
    ("POST", "/v1/engines/m/chat/completions"),
    ("GET", "/"),
    ("GET", "/nowhere"),
]


def found_by(kind: type[Flask], app: Flask, method: str, path: str) -> object:
    """Return the rule and the values that a class's way of matching finds, or its error."""
    request = app.test_request_context(path, method=method).request
    adapter = kind.create_url_adapter(app, request)  # type: ignore[arg-type]  # the app is of both
    assert adapter is not None
    try:
        return adapter.match(return_rule=True)
    except HTTPException as error:
        return type(error), getattr(error, "new_url", None), getattr(error, "valid_methods", None)


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_the_same_rule_is_found(client: FlaskClient, method: str, path: str) -> None:
    app = client.application
    expected = found_by(Flask, app, method, path)

    assert found_by(Application, app, method, path) == expected
    assert found_by(Application, app, method, path) == expected  # it may be known now


def test_only_paths_of_routes_are_kept(client: FlaskClient) -> None:
    app = client.application
    assert isinstance(app, Application)
    for number in range(50):
        client.get(f"/nowhere/{number}")
        client.get(f"/v1/models/{number}")
        client.delete("/v1/models")
    client.get("/v1/models")

    assert ("GET", "/v1/models") in app._known
    assert len(app._known) <= len(ASKED)  # those of the test above, where it ran before


def test_a_websocket_is_refused(client: FlaskClient) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}

    assert client.get("/v1/models", headers=upgrade).status_code == 400


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
def test_what_is_no_host_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/v1/models", headers={"Host": host}).status_code == 400
    assert client.get("/v1/models", headers={"Host": "a.example"}).status_code == 200


def test_no_request_has_a_session(client: FlaskClient) -> None:
    with client.application.test_request_context("/"):
        assert not session
        with pytest.raises(RuntimeError):
            session["name"] = "value"

    assert "Set-Cookie" not in client.get("/v1/models").headers
