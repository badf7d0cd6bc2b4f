"""A thousand identical requests at once make one call, over all workers of a real service."""

import http.client
import json
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import replies
from tests.support.servers import PostgresServer, ValkeyServer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

REQUESTS, THREADS = 1_000, 100
PATH = "/api/v1/llm/optimize-prompt"
BODY = json.dumps({"prompt": "A cat sitting on a chair", "type": "image"})
BETTER = (
    "A cat sitting on a chair, soft morning light from the left, warm muted tones, fine texture of"
    " the old painted wood, close-up, shallow depth of field."
)


def crowd(url: str) -> list[tuple[int, str, str]]:
    """Send all requests, as many at once as there are threads; returns what came back."""
    address = urlsplit(url)
    came: list[tuple[int, str, str]] = []
    begins = threading.Barrier(THREADS)

    def ask() -> None:
        begins.wait()
        for _ in range(REQUESTS // THREADS):
            client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=110)
            client.request("POST", PATH, BODY, {"Content-Type": "application/json"})
            answer = client.getresponse()
            said = json.loads(answer.read())
            words, name = said.get("optimized_prompt", ""), answer.getheader("x-rewrite-id", "")
            came.append((answer.status, words, name))
            client.close()

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


@pytest.mark.more
@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["redis", "sql"])
def test_a_thousand_identical_requests_make_one_call(
    tmp_path: Path, request: pytest.FixtureRequest, store: str, upstream: ScriptedUpstream
) -> None:
    reply = replies.completion(json.dumps({"optimized_prompt": BETTER}))
    upstream.script(*[replies.delayed(reply, 2)] * 5)
    env = {
        "FAST_LLM_API_URL": upstream.url,
        "FAST_LLM_API_KEY": "sk-canary-of-the-upstream",
        "FAST_LLM_MODEL": "scripted",
        "RATE_LIMIT": "1000000/minute",
        "WEB_CONCURRENCY": "4",
        "REWRITE_STORE": store,
    }
    if store == "sql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        env["DATABASE_URL"] = postgres.new_database()
    (tmp_path / "valkey").mkdir()
    with ValkeyServer(tmp_path / "valkey") as valkey:
        env["RATELIMIT_STORAGE_URI"] = valkey.url
        with Service(tmp_path, env) as service:
            came = crowd(service.url)
            rows = service.usage_rows()

    assert len(came) == REQUESTS
    assert {(status, words) for status, words, _ in came} == {(200, BETTER)}
    assert len({name for _, _, name in came}) == 1
    assert len(upstream.requests) == 1
    assert len(rows) == 1
