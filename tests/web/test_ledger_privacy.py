"""G16: no word of a prompt or an answer is kept, in no file that the service writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.gateway import Gateway
from tests.support import replies
from tests.support.replies import Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, COMPLETIONS, OPTIMIZE
from tests.web.streams import PATIENCE, streaming_service

CANARY = "canary-7f3a"
MESSAGES: dict[str, object] = {"messages": [{"role": "user", "content": f"Say {CANARY}."}]}
CANARIES = {**MESSAGES, "user": CANARY}
STREAMED = {**CANARIES, "stream": True}
LATE = replies.chunk({"content": CANARY})
ASKED: list[tuple[Reply, str, dict[str, object]]] = [
    (replies.completion(CANARY), CHAT, MESSAGES),
    (replies.completion(CANARY), COMPLETIONS, CANARIES),
    (replies.completion_stream(CANARY), COMPLETIONS, STREAMED),
    (replies.api_error(400, CANARY, CANARY), CHAT, MESSAGES),
    (replies.api_error(503, CANARY, CANARY), CHAT, MESSAGES),
    (replies.json_reply(200, {"error": {"message": CANARY}}), CHAT, MESSAGES),
    (replies.json_reply(200, {CANARY: CANARY}), CHAT, MESSAGES),
    (replies.sse([LATE], done=False, ending="reset"), COMPLETIONS, STREAMED),
    (replies.sse([LATE, f"{CANARY} {{"]), COMPLETIONS, STREAMED),
    (replies.completion(CANARY), OPTIMIZE, {"prompt": f"A {CANARY} on a chair"}),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the folder of the service, with all that it writes."""
    return tmp_path_factory.mktemp("privacy")


@pytest.fixture(scope="module")
def service(directory: Path, service_upstream: ScriptedUpstream) -> Iterator[Service]:
    """Run the service."""
    with streaming_service(directory, service_upstream) as running:
        yield running


def written(directory: Path) -> list[Path]:
    """List the files that the service has written: beside the copy of the project, and its data."""
    places = [*directory.glob("*"), *(directory / "project" / "instance").rglob("*")]
    return [path for path in places if path.is_file()]


def test_g16_no_word_of_a_prompt_or_an_answer_is_kept(
    service: Service, service_upstream: ScriptedUpstream, directory: Path
) -> None:
    gateway = Gateway(service, service_upstream)
    ids = []
    for reply, path, fields in ASKED:
        service_upstream.clear()
        service_upstream.script(reply, reply)
        with gateway.ask(path, **fields) as answer:
            answer.read_body()
            ids.append(answer.header("x-request-id"))
    service_upstream.clear()
    service_upstream.script(replies.sse([LATE], done=False, silence_s=60))
    with gateway.ask(COMPLETIONS, **STREAMED) as answer:
        assert CANARY.encode() in answer.read_event()
        assert [path for path in written(directory) if path.suffix == ".jsonl"]
        during = {path.name for path in written(directory) if CANARY.encode() in path.read_bytes()}
        ids.append(answer.header("x-request-id"))
    wait_until(lambda: gateway.service.usage_count() >= len(ids), PATIENCE, service.log)

    files = written(directory)
    assert during == set()
    assert {path.name for path in files if CANARY.encode() in path.read_bytes()} == set()
    assert {"service.db", "service.db-wal", "service.log"} <= {path.name for path in files}
    assert {row["request_id"] for row in service.usage_rows()} == set(ids)
    assert all(str(one) in service.log() for one in ids)
