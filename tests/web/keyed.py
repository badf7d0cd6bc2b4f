"""What the tests of keys share: a service that needs keys, and the keys."""

import secrets
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from llm_api.domain.access import ApiKey
from llm_api.services.keys.service import IssuedKey
from tests.support.acting import OPERATOR
from tests.web.refusals import Refusal, read_refusal

KEYS, MODELS = "/api/v1/keys", "/v1/models"
# Made for this run: what is made with care is taken, and what is read in logs is found.
STATIC, ADMIN = secrets.token_hex(20), secrets.token_hex(20)
CLOSED = {"REQUIRE_API_KEY": "true", "API_KEYS": f"ci={STATIC}", "ADMIN_API_KEY": ADMIN}


def issue(app: Flask, name: str = "shop", **properties: Any) -> IssuedKey:
    """Make a key with properties."""
    issued: IssuedKey = app.extensions["llm_api"].keys.issue(
        ApiKey("", name, **properties), OPERATOR
    )
    return issued


def bearer(text: str) -> dict[str, str]:
    """Return the header that presents a key."""
    return {"Authorization": f"Bearer {text}"}


def refusal_of(path: str, answer: TestResponse) -> Refusal:
    """Read an answer that refuses."""
    return read_refusal(path, answer.status_code, answer.headers, answer.data)
