"""The callers of a soak: keys that stand in the database before the service starts."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness.keys import WANTED
from llm_api.domain.key_format import new_secret
from llm_api.services.keys.authenticator import digest_of

BUDGET = [{"period": "month", "unit": "tokens", "amount": 1_000_000_000}]
BUDGET_EVERY = 5  # a budget costs two writing transactions a call


def add_keys(database: Path, count: int) -> list[str]:
    """Write so many keys into a SQLite database with the service's schema; return their secrets.

    All have limits of every kind, and some a budget, that are never reached.
    """
    secrets = [new_secret() for _ in range(count)]
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    limits = json.dumps(WANTED["limits"])
    keys = [
        (_id(n), f"soak-{n}", now, limits, json.dumps([] if n % BUDGET_EVERY else BUDGET))
        for n in range(count)
    ]
    digests = [(digest_of(secret), _id(n), now) for n, secret in enumerate(secrets)]
    with sqlite3.connect(database) as connection:
        connection.executemany(
            "INSERT INTO api_keys (id, name, created_at, is_admin, limits, budgets)"
            " VALUES (?, ?, ?, 0, ?, ?)",
            keys,
        )
        connection.executemany(
            "INSERT INTO api_key_secrets (digest, key_id, created_at) VALUES (?, ?, ?)", digests
        )
    connection.close()
    return secrets


def rows_by_status(database: Path) -> dict[str, int]:
    """Return the number of rows of the ledger by their status."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows: list[tuple[str, int]] = connection.execute(
            "SELECT status, count(*) FROM usage GROUP BY status"
        ).fetchall()
    finally:
        connection.close()
    return dict(rows)


def _id(number: int) -> str:
    return f"key_{number:024x}"
