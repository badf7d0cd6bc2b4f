"""Has prompts rewritten by the real service, before an upstream of any kind."""

import contextlib
import http.client
import json
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.harness.programs import service_program, upgrade_database
from benchmarks.harness.servers import free_ports, running
from benchmarks.prompts.rows import Row
from benchmarks.prompts.scoring import Output
from tests.support import replies
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
OPTIMIZE = "/api/v1/llm/optimize-prompt"
TIMEOUT = 180.0
FALLBACK = "fallback"
BUNDLED = {"FAST_LLM_API_URL": "", "FAST_LLM_API_KEY": "", "FAST_LLM_MODEL": ""}


def rewrite_all(
    rows: Sequence[Row],
    settings: Mapping[str, str],
    announce: Callable[[int], None],
    *,
    at_once: int = 1,
) -> list[Output]:
    """Return what the service makes of the prompts; `settings` name its upstream.

    `at_once` calls are in progress: more of them end sooner, and each takes longer.
    """
    outputs: list[Output] = []
    with _serving(settings) as port, ThreadPoolExecutor(at_once) as pool:
        for output in pool.map(lambda row: _ask_alone(row, port), rows):
            outputs.append(output)
            announce(len(outputs))
    return outputs


def replay_all(
    rows: Sequence[Row],
    texts: Mapping[str, str],
    announce: Callable[[int], None],
    *,
    is_json: bool = True,
) -> list[Output]:
    """Return what the service makes of recorded outputs, as if an upstream had written them.

    `texts` are by row id. Asked to correct an output, that upstream repeats it: how much a real one
    would still mend cannot be replayed.
    """
    replying = _Replay({_key(row.prompt): texts[row.id] for row in rows}, is_json=is_json)
    with ScriptedUpstream() as upstream:
        settings = {"FAST_LLM_API_URL": f"{upstream.url}/v1", "FAST_LLM_MODEL": "recorded"}
        with _serving(settings) as port:
            outputs = []
            for row in rows:
                upstream.clear()
                upstream.script(*[replies.answer_with(replying)] * 2)
                outputs.append(_ask_alone(row, port))
                announce(len(outputs))
            return outputs


class _Replay:
    """Answers a request with the recorded output for its description."""

    def __init__(self, texts: Mapping[str, str], *, is_json: bool) -> None:
        self._texts = texts
        self._is_json = is_json

    def __call__(self, request: RecordedRequest) -> Reply:
        asked = json.loads(request.json["messages"][1]["content"])
        text = self._texts[_key(asked["description"])]
        document = json.dumps({"optimized_prompt": text}, ensure_ascii=False)
        return replies.completion(document if self._is_json else text)


def _key(prompt: str) -> str:
    return " ".join(unicodedata.normalize("NFC", prompt).split())


@contextlib.contextmanager
def _serving(settings: Mapping[str, str]) -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="bench-prompts-") as folder:
        [port] = free_ports(1)
        program = service_program(REPOSITORY_ROOT, port, 0, Path(folder), settings)
        upgrade_database(program)
        with running(program):
            yield port


def _ask_alone(row: Row, port: int) -> Output:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    ) as connection:
        return _ask(connection, row)


def _ask(connection: http.client.HTTPConnection, row: Row) -> Output:
    """Have a prompt rewritten; ValueError if the service answers anything but 200."""
    body = json.dumps({"prompt": row.prompt, "type": row.type, "include_details": True}).encode()
    connection.request("POST", OPTIMIZE, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != http.client.OK:
        raise ValueError(f"{row.id}: the service answered {response.status}: {answer}")
    return _output(answer)


def _output(answer: Mapping[str, Any]) -> Output:
    details = answer["details"]
    total, upstream = details["latency_ms"]["total"], details["latency_ms"]["upstream"]
    return Output(
        text=answer["optimized_prompt"],
        is_fallback=details["method"] == FALLBACK,
        tokens=details["usage"]["total_tokens"],
        calls=details["calls"],
        latency_ms=total,
        own_ms=total - upstream,
        problems=tuple(details["checks"]["first_problems"]),
    )
