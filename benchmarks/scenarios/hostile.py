"""The refusals' process: what hostile input costs, as a multiple of something plain.

It runs in a folder with `config/` in it, and writes a list of figures as JSON to its standard
output. It is started by its path and imports nothing of this package: `llm_api` comes from the
project folder that is measured, which may have a `benchmarks` of its own.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from llm_api.app import close_app, create_app
from llm_api.errors import InvalidRequest
from llm_api.settings.settings import Settings
from llm_api.upstream.http.sse import EventParser
from llm_api.web.request.strict_json import MAX_DEPTH, decode_object

TRIES = 7
MAX_REFUSAL_RATIO = 5
MAX_READS_RATIO = 20
SMALL_READ_BYTES, LARGE_READ_BYTES = 1_460, 65_536
ROUTES = ("/api/v1/llm/chat", "/v1/chat/completions")
SETTINGS = {
    "FAST_LLM_API_URL": "http://127.0.0.1:1/v1",  # nobody listens: all is refused before a call
    "FAST_LLM_MODEL": "bench-model",
    "RATE_LIMIT": "100000000/minute",
}


def nested(levels: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    """Return an object that is nested so many levels deep, itself counted."""
    inner = levels - 1
    return ('{"a":' + opening * inner + "1" + closing * inner + "}").encode()


DEEP_BODIES = {
    f"1,000 objects nested {MAX_DEPTH} in a list": (
        b'{"a":[' + b",".join([nested(MAX_DEPTH)] * 1_000) + b"]}"
    ),
    "lists nested 990": nested(990, "[", "]"),
    "objects nested 100,000": nested(100_000),
    "1,000,000 lists never closed": b"[" * 1_000_000,
}
FAULTY_BODIES = {
    "200,000 empty messages": b'{"messages":[' + b",".join([b"{}"] * 200_000) + b"]}",
    "90,000 unknown keys": json.dumps({f"key{i}": i for i in range(90_000)}).encode(),
}


def cpu_ratio(work: Callable[[], object], plain: Callable[[], object]) -> float:
    """Return the CPU time of `work` over that of `plain`, the least of several tries of each."""
    tries = [(cpu_seconds(work), cpu_seconds(plain)) for _ in range(TRIES)]
    return min(seconds for seconds, _ in tries) / min(seconds for _, seconds in tries)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time that the process spends on `work`."""
    began = time.process_time()
    work()
    return time.process_time() - began


def parse(body: bytes) -> None:
    """Parse a body as Python does."""
    with suppress(RecursionError, json.JSONDecodeError):
        json.loads(body)


def refuse(body: bytes) -> None:
    """Decode a body; RuntimeError unless it is refused."""
    try:
        decode_object(body)
    except InvalidRequest:
        return
    message = "a hostile body was accepted"
    raise RuntimeError(message)


def post(client: FlaskClient, route: str, body: bytes) -> None:
    """Send a body to a route; RuntimeError unless it is refused."""
    answer = client.post(route, data=body, headers={"Content-Type": "application/json"})
    if answer.status_code != 400:
        message = f"POST {route} answered a hostile body with {answer.status_code}"
        raise RuntimeError(message)


def parse_event(stream: bytes, read_bytes: int) -> None:
    """Feed a stream of one event to the parser; RuntimeError unless the event comes out."""
    parser = EventParser()
    reads = range(0, len(stream), read_bytes)
    if sum(1 for at in reads for _ in parser.feed(stream[at : at + read_bytes])) != 1:
        message = "a large event was lost"
        raise RuntimeError(message)


def refusal(name: str, work: Callable[[], object], body: bytes) -> dict[str, Any]:
    """Return the figure of one refusal: its cost over that of parsing the body."""
    measured = cpu_ratio(work, partial(parse, body))
    return {"figure": name, "limit": MAX_REFUSAL_RATIO, "measured": measured}


def decoding() -> Iterator[dict[str, Any]]:
    """Yield the figures of bodies that the decoder refuses."""
    for name, body in DEEP_BODIES.items():
        yield refusal(f"decode {name}", partial(refuse, body), body)


def posting(client: FlaskClient) -> Iterator[dict[str, Any]]:
    """Yield the figures of bodies that the chat routes refuse."""
    for route in ROUTES:
        for name, body in FAULTY_BODIES.items():
            yield refusal(f"POST {route} {name}", partial(post, client, route, body), body)


def reading() -> dict[str, Any]:
    """Return the figure of a large event in small reads, over the same event in large ones."""
    stream = b"data: " + b"x" * ((1 << 20) - 1_000) + b"\n\n"
    measured = cpu_ratio(
        partial(parse_event, stream, SMALL_READ_BYTES),
        partial(parse_event, stream, LARGE_READ_BYTES),
    )
    name = f"event of 1 MiB in reads of {SMALL_READ_BYTES:,} bytes, to {LARGE_READ_BYTES:,}"
    return {"figure": name, "limit": MAX_READS_RATIO, "measured": measured}


def main() -> None:
    """Measure everything in this process and write it."""
    app = create_app(Settings.from_env(SETTINGS, root=Path.cwd()))
    try:
        figures = [*decoding(), *posting(app.test_client()), reading()]
    finally:
        close_app(app)
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
