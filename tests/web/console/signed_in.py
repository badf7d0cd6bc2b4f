"""A browser that has signed in at the console, without a browser: its pages and its forms."""

import re
from dataclasses import dataclass
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.console.page_tables import PageTables

OURS = {"Origin": "http://localhost"}
_TOKEN = re.compile(r'name="csrf-token" content="(\w+)"')


@dataclass
class SignedIn:
    """A client with a session."""

    client: FlaskClient

    @classmethod
    def with_key(cls, app: Flask, key: str) -> "SignedIn":
        """Sign in with a key."""
        client = app.test_client()
        answer = client.post("/console/sign-in", data={"key": key}, headers=OURS)
        assert answer.status_code == 303, answer.text
        return cls(client)

    def page(self, path: str, **arguments: str) -> str:
        """Return a page."""
        answer = self.client.get(path, query_string=arguments)
        assert answer.status_code == 200, answer.text
        return answer.text

    def tables(self, path: str, **arguments: str) -> PageTables:
        """Return the tables of a page."""
        return PageTables(self.page(path, **arguments))

    @property
    def token(self) -> str:
        """What forms of this session have."""
        found = _TOKEN.search(self.page("/console/chat"))
        assert found is not None
        return found[1]

    def send(self, path: str, **fields: str) -> TestResponse:
        """Send a form."""
        return self.client.post(path, data={"csrf_token": self.token, **fields}, headers=OURS)


def problem_in(answer: TestResponse) -> str:
    """Return what an error on a page says."""
    found = re.search(r'role="alert"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    assert found is not None, answer.text
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", found[1]).split()))
