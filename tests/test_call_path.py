"""How far a request travels through the files: what a reader has to open to follow it.

A file is entered when one of its functions is called; a move is a call into another file than the
call before it. The ceilings are for a warm request: the first one also builds caches.
"""

import gc
import itertools
import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from flask.testing import FlaskClient

import llm_api
from tests.conftest import AppOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

PACKAGE = llm_api.__path__[0] + "/"
ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}
PROMPT = {"prompt": "A cat sitting on a chair", "type": "image", "style": "watercolor"}
REWRITE = (
    "A cat sits on a wooden chair in a quiet room, watercolor style, soft window light from the"
    " left, warm muted colors, visible paper texture, eye-level framing with a blurred plain wall"
    " behind the chair."
)

# Request: files entered and moves between them, at most. How often a stream moves depends on the
# pieces in which it comes in. A key with limits and a budget is looked up in the store, counted and
# reserved for. The routes of OpenAI share one file, web/dialects/answering.py, with other dialects;
# which of its two forms a request of the Responses API takes is decided in upstream/preparation.py.
# Two files count every call: web/request_counts.py its request, services/usage/metered_sink.py its
# row. That a limit has let it pass is counted in observability/metrics.py.
# services/usage/call_facts.py writes attempts into the row, and the row into the log line, which
# has the client's address; what an upstream is told of a request's id comes from upstream/call.py.
CEILINGS = {
    "chat": (38, 100),
    "openai chat": (40, 102),
    "openai stream": (51, 10_000),
    # Three of them tell what is left: the name of a period, its account, an amount as a text.
    "chat with limits and budget": (54, 146),
    "optimized prompt": (50, 160),
}


@pytest.fixture
def client(app_of: AppOf, upstream_env: dict[str, str]) -> FlaskClient:
    """Call an application that requires keys and limits rates, as in production."""
    return app_of(
        {**upstream_env, "REQUIRE_API_KEY": "true", "ADMIN_API_KEY": ADMIN_KEY}
    ).test_client()


def requests_to(client: FlaskClient, upstream: ScriptedUpstream) -> dict[str, Callable[[], Any]]:
    """Return what sends each request."""
    admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
    wanted = {
        "name": "shop",
        "budgets": ["100000 tokens/month"],
        "limits": {"tokens_per_minute": 100_000, "concurrent_requests": 5},
    }
    secret = client.post("/api/v1/keys", json=wanted, headers=admin).json["secret"]
    limited = {"Authorization": f"Bearer {secret}"}

    def optimize() -> Any:
        upstream.script(replies.completion(json.dumps({"optimized_prompt": REWRITE})))
        return client.post("/api/v1/llm/optimize-prompt", json=PROMPT, headers=admin)

    def stream() -> Any:
        answer = client.post("/v1/chat/completions", json=CHAT | {"stream": True}, headers=admin)
        answer.get_data()
        return answer

    return {
        "chat": lambda: client.post("/api/v1/llm/chat", json=CHAT, headers=admin),
        "openai chat": lambda: client.post("/v1/chat/completions", json=CHAT, headers=admin),
        "openai stream": stream,
        "chat with limits and budget": lambda: client.post(
            "/api/v1/llm/chat", json=CHAT, headers=limited
        ),
        "optimized prompt": optimize,
    }


def files_entered(send: Callable[[], Any]) -> list[str]:
    """Return the file of each call of a function of ours, in order."""
    entered: list[str] = []

    def record(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(PACKAGE):
            entered.append(name.removeprefix(PACKAGE))

    gc.collect()
    gc.disable()  # what it closes is of other requests
    sys.setprofile(record)
    try:
        send()
    finally:
        sys.setprofile(None)
        gc.enable()
    return entered


@pytest.mark.parametrize("name", CEILINGS)
def test_a_request_travels_through_few_files(
    client: FlaskClient, upstream: ScriptedUpstream, name: str
) -> None:
    send = requests_to(client, upstream)[name]
    assert send().status_code == 200
    # A connection that another thread writes the row with would have the next call make one.
    client.application.extensions["llm_api_spool"].flush()

    entered = files_entered(send)

    moves = sum(a != b for a, b in itertools.pairwise(entered))
    most_files, most_moves = CEILINGS[name]
    assert len(set(entered)) <= most_files
    assert moves <= most_moves
