"""What response times reveal of keys, and what authentication costs.

`python -m benchmarks.scenarios.auth_timing` presents two kinds of keys in turn, thousands of times,
to the application in this process. A difference of their medians would reveal something to callers.
"""

import argparse
import io
import logging
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks.harness.figures import BudgetLine, budget_lines
from llm_api.app import close_app, create_app
from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import new_secret
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage.sql import migrate
from tests.support.acting import OPERATOR

DEFAULT_TRIES = 2_000
MAX_RATIO = 1.1  # and its inverse
MAX_ADDED_US = 30.0
STATIC = secrets.token_hex(20)
PATH = "/v1/models"
SETTINGS = {
    "FAST_LLM_API_URL": "http://127.0.0.1:1/v1",  # nothing listens there, and no call is made
    "FAST_LLM_MODEL": "bench-model",
    "RATE_LIMIT": "100000000/minute",
    "API_KEYS": f"bench={STATIC}",
}
addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in count())


@contextmanager
def application(folder: Path, *, requires_key: bool) -> Iterator[Flask]:
    """Build the application with a database of its own, without logs."""
    root = folder / f"keys-{requires_key}"
    root.mkdir()
    (root / "config").symlink_to(PROJECT_ROOT / "config")
    database = f"sqlite:///{root / 'bench.db'}"
    env = {**SETTINGS, "DATABASE_URL": database, "REQUIRE_API_KEY": str(requires_key)}
    migrate.upgrade(database, PROJECT_ROOT)
    app = create_app(Settings.from_env(env, root=root))
    logging.disable(logging.CRITICAL)
    try:
        yield app
    finally:
        logging.disable(logging.NOTSET)
        close_app(app)


def answer_us(app: Flask, key: str, status: int) -> float:
    """Return the microseconds of a response to a key; raises RuntimeError for another status."""
    headers = [("Authorization", f"Bearer {key}")]
    # From an address without failed attempts.
    environ = EnvironBuilder(path=PATH, headers=headers, input_stream=io.BytesIO()).get_environ()
    environ["REMOTE_ADDR"] = next(addresses)
    began = time.perf_counter()
    _, line, _ = run_wsgi_app(app, environ, buffered=True)
    seconds = time.perf_counter() - began
    if not line.startswith(str(status)):
        raise RuntimeError(f"{line} in place of {status}")
    return seconds * 1e6


def ratio(app: Flask, firsts: Sequence[str], seconds: Sequence[str]) -> float:
    """Return the ratio of the median times of two kinds of keys, presented in turn."""
    pairs = [
        (answer_us(app, first, 401), answer_us(app, second, 401))
        for first, second in zip(firsts, seconds, strict=True)
    ]
    first_us, second_us = (statistics.median(times) for times in zip(*pairs, strict=True))
    return float(first_us / second_us)


def with_wrong_character(key: str, index: int) -> str:
    """Return a key with another character at an index."""
    index %= len(key)
    return key[:index] + ("1" if key[index] != "1" else "2") + key[index + 1 :]


def ratios(app: Flask, tries: int) -> Iterator[tuple[str, float]]:
    """Compare kinds of rejected keys that must be indistinguishable."""
    keys = app.extensions["llm_api"].keys
    past = datetime.now(UTC) - timedelta(days=1)
    issued = keys.issue(ApiKey("", "good"), OPERATOR).secret
    answer_us(app, issued, 200)
    for name, key, first in (("issued", issued, len("llmapi_")), ("static", STATIC, 0)):
        wrong = [with_wrong_character(key, index) for index in (first, -1)]
        yield (
            f"{name} key: first / last sign wrong",
            ratio(app, *([text] * tries for text in wrong)),
        )
    disabled = keys.issue(ApiKey("", "disabled", disabled_at=past), OPERATOR).secret
    expired = keys.issue(ApiKey("", "expired", expires_at=past), OPERATOR).secret
    for name, key in (("disabled", disabled), ("expired", expired)):
        yield f"unknown / {name}", ratio(app, [new_secret()] * tries, [key] * tries)
    ended = [keys.issue(ApiKey("", "n", disabled_at=past), OPERATOR).secret for _ in range(tries)]
    unknown = [new_secret() for _ in range(tries)]
    yield "unknown / disabled, each the first time", ratio(app, unknown, ended)


def added_us(closed: Flask, opened: Flask, tries: int) -> dict[str, float]:
    """Return by how many microseconds a required key slows a response."""
    issued = closed.extensions["llm_api"].keys.issue(ApiKey("", "good"), OPERATOR).secret
    kinds = {"issued": issued, "static": STATIC}
    rounds = [
        [
            answer_us(opened, STATIC, 200),
            *(answer_us(closed, key, 200) for key in kinds.values()),
        ]
        for _ in range(tries)
    ]
    plain, *costs = [statistics.median(times) for times in zip(*rounds, strict=True)]
    return {name: cost - plain for name, cost in zip(kinds, costs, strict=True)}


def main() -> int:
    """Measure, print the figures, and return 1 where one is over its limit."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scenarios.auth_timing", description=__doc__
    )
    parser.add_argument("--tries", type=int, default=DEFAULT_TRIES, help="of each kind")
    tries = parser.parse_args().tries
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        application(Path(name), requires_key=True) as closed,
        application(Path(name), requires_key=False) as opened,
    ):
        lines = [
            BudgetLine(f"{kinds} ({found:.3f})", MAX_RATIO, max(found, 1 / found))
            for kinds, found in ratios(closed, tries)
        ]
        lines += [
            BudgetLine(f"{kind} key, known: µs more", MAX_ADDED_US, added)
            for kind, added in added_us(closed, opened, tries).items()
        ]
    print(budget_lines(lines))
    return int(any(line.verdict != "ok" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
