"""C34 and C35: another key, another address or another model, where the first one is broken."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.gateway import Gateway, faulty_service, held_to_all_invariants, in_both_dialects
from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.peer import RecordedRequest
from tests.support.ports import closed_port
from tests.support.replies import Reply, answer_with
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHATS, COMPLETIONS
from tests.web.streams import HELLO, KEY, broken, text_of

BROKEN_KEY, GOOD_KEY = f"{KEY}-1", f"{KEY}-2"
FAULTS_TO_OPEN = 5
CALLS = 30
SPARE = "spare"
REASON = "upstream_unavailable"


# --- C34 ---

WITH_BREAKER = {"CIRCUIT_BREAKER": "true"}


@contextmanager
def teamed(
    directory: Path, upstream: ScriptedUpstream, settings: Mapping[str, str]
) -> Iterator[Gateway]:
    """Lend a service whose upstream has more than one key or address, and breakers for them."""
    with (
        faulty_service(directory, upstream, {**WITH_BREAKER, **settings}) as service,
        held_to_all_invariants(service, upstream) as gateway,
    ):
        yield gateway


def fails_with(key: str, fault: Reply) -> Reply:
    """Answer well, but for the calls with one key."""

    def reply(request: RecordedRequest) -> Reply:
        is_broken = request.header("Authorization") == f"Bearer {key}"
        return fault if is_broken else replies.completion()

    return answer_with(reply)


def keys_seen(upstream: ScriptedUpstream) -> list[str]:
    """Return with which key each request came, in order."""
    return [
        (request.header("Authorization") or "").removeprefix("Bearer ")
        for request in upstream.requests
    ]


@pytest.mark.parametrize(
    ("fault", "faults_seen"),
    [(replies.api_error(401), 1), (replies.api_error(503), FAULTS_TO_OPEN)],
    ids=["401", "503"],
)
def test_c34_one_key_of_two_broken(
    tmp_path: Path, upstream: ScriptedUpstream, fault: Reply, faults_seen: int
) -> None:
    keys = {"FAST_LLM_API_KEY": f"{BROKEN_KEY},{GOOD_KEY}"}
    with teamed(tmp_path, upstream, keys) as gateway:
        upstream.script(*[fails_with(BROKEN_KEY, fault)] * 2 * CALLS)

        rows = [gateway.succeeded(CHATS[number % 2]) for number in range(CALLS)]
        seen = keys_seen(upstream)

    # Not one caller saw an error; once its breaker is open, the broken key is asked no more.
    assert {row["status"] for row in rows} == {"ok"}
    assert seen.count(BROKEN_KEY) == faults_seen
    assert seen.count(GOOD_KEY) == CALLS
    assert sum(row["attempts"] for row in rows) == CALLS + faults_seen
    assert {row["attempts"] for row in rows[CALLS // 2 :]} == {1}


def test_c34_one_address_of_two_broken(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with closed_port() as port:
        urls = {
            "FAST_LLM_API_URL": f"http://127.0.0.1:{port}/v1,{upstream.url}",
            "FAST_LLM_API_KEY": f"{BROKEN_KEY},{GOOD_KEY}",
        }
        with teamed(tmp_path, upstream, urls) as gateway:
            rows = [gateway.succeeded(CHATS[number % 2]) for number in range(CALLS)]
            seen = keys_seen(upstream)

    assert {row["status"] for row in rows} == {"ok"}
    assert seen == [GOOD_KEY] * CALLS  # a key goes to its own address alone
    assert CALLS < sum(row["attempts"] for row in rows) <= CALLS + FAULTS_TO_OPEN
    assert {row["attempts"] for row in rows[CALLS // 2 :]} == {1}


# --- C35 ---


@pytest.fixture(scope="module")
def backup() -> Iterator[ScriptedUpstream]:
    """Run the upstream that is asked second."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def service_env(backup: ScriptedUpstream) -> Mapping[str, str]:
    """Name it as the fallback of the first."""
    return {
        "EXTRA_UPSTREAMS": "backup",
        "BACKUP_LLM_API_URL": backup.url,
        "BACKUP_LLM_API_KEY": "sk-canary-of-the-backup",
        "BACKUP_LLM_MODEL": SPARE,
        "FAST_LLM_FALLBACK": "backup",
    }


@pytest.fixture
def spared(gateway: Gateway, backup: ScriptedUpstream) -> Gateway:
    """Lend the service, with a backup that was not asked yet."""
    backup.close_connections()
    backup.clear()
    return gateway


def both_models(asked: str) -> dict[str, Any]:
    """Build what an answer must tell of the two."""
    return {
        "asked": {"upstream": "fast", "model": asked},
        "used": {"upstream": "backup", "model": SPARE},
        "reason": REASON,
    }


def told_in_headers(answer: LiveAnswer) -> list[str | None]:
    """Return what the headers tell of the two."""
    return [answer.header(f"x-fallback-{what}") for what in ("from", "to", "reason")]


def assert_row_names_both(gateway: Gateway, asked: str) -> None:
    """Assert that the only usage row of a model tells of three attempts, and of both models."""
    [row] = gateway.rows("requested_model", asked)
    tries = [(one["upstream"], one["model"], one["reason"]) for one in row["attempts_detail"]]
    assert (row["status"], row["upstream"], row["model"]) == ("ok", "backup", SPARE)
    assert row["attempts"] == 3
    assert tries == [("fast", asked, REASON)] * 2 + [("backup", SPARE, None)]


@in_both_dialects
def test_c35_fallback_before_the_first_byte(
    spared: Gateway, backup: ScriptedUpstream, path: str
) -> None:
    spared.upstream.script(*[replies.api_error(503)] * 2)
    asked = f"asked-by-{path}"

    with spared.ask(path, model=asked) as answer:
        document = json.loads(answer.read_body())

        assert answer.status == 200
        assert document["choices"][0]["message"]["content"] == "Hello"
        assert document["fallback"] == both_models(asked)
        assert told_in_headers(answer) == [f"fast/{asked}", f"backup/{SPARE}", REASON]
    assert (len(spared.upstream.requests), len(backup.requests)) == (2, 1)
    assert backup.requests[0].json["model"] == SPARE
    assert_row_names_both(spared, asked)


def test_c35_fallback_of_a_stream_before_its_first_byte(
    spared: Gateway, backup: ScriptedUpstream
) -> None:
    spared.upstream.script(*[replies.api_error(503)] * 2)
    asked = "asked-as-a-stream"

    with spared.ask(COMPLETIONS, model=asked, stream=True) as answer:
        events = answer.read_events()

        assert answer.status == 200
        assert text_of(events) == "Hello"
        assert json.loads(events[0])["fallback"] == both_models(asked)
        assert told_in_headers(answer) == [f"fast/{asked}", f"backup/{SPARE}", REASON]
    assert len(backup.requests) == 1
    assert_row_names_both(spared, asked)


@in_both_dialects
def test_c35_no_fallback_after_the_first_byte(
    spared: Gateway, backup: ScriptedUpstream, path: str
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    spared.upstream.script(replies.raw_reply(head + b'{"choices": [{"mess'))

    left = spared.fail(path)

    assert left.verdict[0] == 502
    assert left.hits == 1
    assert left.row is not None
    assert left.row[0] == "upstream_error"
    assert backup.connections == 0


def test_c35_no_fallback_after_the_first_event(spared: Gateway, backup: ScriptedUpstream) -> None:
    spared.upstream.script(replies.sse([HELLO], done=False, ending="reset"))

    with spared.ask(COMPLETIONS, stream=True) as answer:
        chunks, reason = broken(answer)

        assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["Hel"]
        assert reason == "upstream_truncated"
        assert told_in_headers(answer) == [None] * 3
    assert backup.connections == 0
