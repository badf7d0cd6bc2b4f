"""What the tests of usage reports share: rows put into the store, and reports asked for."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from llm_api.domain.usage import UsageRecord
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore

USAGE = "/api/v1/usage"
NOVEMBER = {"since": "2026-11-01", "until": "2026-12-01"}
TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
Keep = Callable[..., None]
Report = Callable[..., dict[str, Any]]


def keeper(app: Flask) -> Keep:
    """Return a function that puts rows into the application's database."""

    def keep(*records: UsageRecord) -> None:
        store = SqlUsageStore(make_engine(app.config["DATABASE_OF_THE_TEST"]))
        store.add(records)
        store.close()

    return keep


def reporter(client: FlaskClient) -> Report:
    """Return a function that asks for a report of November, or of what it is told."""

    def report(**arguments: str) -> dict[str, Any]:
        answer = client.get(USAGE, query_string={**NOVEMBER, **arguments})
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/json"
        document: dict[str, Any] = answer.json
        return document

    return report


def at(day: int, hour: int = 12, minute: int = 0, **more: int) -> datetime:
    """Make a moment of November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC, **more)


def calls_by(document: dict[str, Any], *names: str) -> dict[Any, int]:
    """Return how many calls each group has; a group of one dimension goes by its value alone."""
    return {
        tuple(group[name] for name in names) if len(names) > 1 else group[names[0]]: group["calls"]
        for group in document["groups"]
    }
