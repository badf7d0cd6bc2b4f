"""`flask --app wsgi usage show`: all that is known of a call, to be read and as JSON."""

import json

from flask import Flask
from flask.testing import FlaskClient

from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, good_body


def test_a_call_is_shown_with_its_attempts(
    app: Flask, client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(503, "busy", "We are busy"), replies.completion("Hi"))
    request_id = client.post(CHAT, json=good_body(CHAT)).headers["x-request-id"]
    runner = app.test_cli_runner()

    ran = runner.invoke(args=["usage", "show", request_id])
    as_json = runner.invoke(args=["usage", "show", request_id, "--json"])

    lines = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines() if line}
    assert lines["request_id"] == [request_id]
    assert lines["model"] == ["scripted", "at", "fast"]
    assert lines["tokens"][:4] == ["5", "in,", "2", "out"]
    assert lines["1"][3:] == ["503", "upstream_unavailable", "We", "are", "busy"]
    assert lines["2"][3:] == ["-", "-", "-"]
    (call,) = json.loads(as_json.stdout)["calls"]
    assert (call["request_id"], call["status"]) == (request_id, "ok")


def test_an_id_without_a_call_is_told(app: Flask) -> None:
    ran = app.test_cli_runner().invoke(args=["usage", "show", "req_unknown"])

    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: There is no such call here")
