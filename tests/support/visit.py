"""`flask doctor`, as an operator runs it, and an upstream that it finds nothing wrong with."""

import json
import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from flask import Flask

from llm_api.cli.commands import Commands
from llm_api.settings.settings import Settings
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, completion, completion_stream, json_reply, models


@dataclass(frozen=True)
class Visit:
    """What the doctor printed, and the exit status."""

    output: str
    exit_code: int

    def line(self, title: str) -> str:
        """Return the line of one check, with single spaces between its three parts."""
        parts = [re.split(" {2,}", line, maxsplit=2) for line in self.output.splitlines()]
        return next(" ".join(part) for part in parts if part[1] == title)

    @property
    def states(self) -> set[str]:
        """The states that occur."""
        return {line.split()[0] for line in self.output.splitlines()}

    @property
    def document(self) -> Any:
        """What was printed, as JSON."""
        return json.loads(self.output)


def visit(settings: Settings, *arguments: str) -> Visit:
    """Run the command; no output may hold a secret or a traceback."""
    app = Flask("doctor")
    app.cli = Commands(settings)
    result = app.test_cli_runner().invoke(args=["doctor", *arguments])
    assert not [secret for secret in settings.secrets if secret in result.output]
    assert "Traceback" not in result.output
    return Visit(result.output, result.exit_code)


def capable(request: RecordedRequest) -> Reply:
    """Answer as a vision model with JSON mode and a list of models does."""
    if request.method == "GET":
        return models("scripted")
    body = request.json
    if body.get("stream"):
        return completion_stream("o", "k")
    if "response_format" in body:
        return completion('{"ok": true}')
    return completion("Red." if isinstance(body["messages"][0]["content"], list) else "ok")


def dated(offset_s: float) -> Reply:
    """Answer a chat call, with a Date header that is so far from our clock."""
    choice = {"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}
    date = formatdate(time.time() + offset_s, usegmt=True)
    return json_reply(200, {"choices": [choice]}, [("Date", date)])
