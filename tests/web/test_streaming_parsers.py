"""A silence in a stream is filled with something that every client's parser takes for nothing.

The parsers are those of clients that do not read server-sent events by the book.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.live import LiveAnswer
from tests.support.paced import Gated
from tests.support.raw import request_bytes
from tests.support.replies import chunk
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import COMPLETIONS, JSON_TYPE, TEXT, good_body
from tests.web.streams import STOP, frame, streaming_service

WORDS = ("one ", "two ", "three")
QUICK = Timings(silence=0.2, silence_check=0.1)
END = frame(STOP) + b"data: [DONE]\n\n"
TEXT_PARTS = [{"choices": [{"index": 0, "text": w, "finish_reason": None}]} for w in WORDS]
TEXT_END = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
EVENTS = {
    COMPLETIONS: [*(frame(chunk({"content": word})) for word in WORDS), END],
    TEXT: [*map(frame, TEXT_PARTS), frame(TEXT_END) + b"data: [DONE]\n\n"],
}


def by_blocks(body: str) -> Iterator[str]:
    """Read as Dify does: blocks between blank lines, of which a colon makes a comment.

    Source: langgenius/dify-official-plugins, models/openai_api_compatible, `iter_lines` with the
    delimiter of two line feeds.
    """
    for block in body.split("\n\n"):
        if block.strip() and not block.startswith(":"):
            yield block.strip().removeprefix("data:").lstrip()


def by_data_lines(body: str) -> Iterator[str]:
    """Read as clients do that look for lines with data and pass over all others."""
    for line in body.splitlines():
        if line.startswith("data: "):
            yield line[len("data: ") :]


def by_all_lines(body: str) -> Iterator[str]:
    """Read as clients do that take every line which is not empty for data."""
    for line in body.splitlines():
        if line.strip():
            yield line.removeprefix("data:").strip()


def by_blocks_with_data(body: str) -> Iterator[str]:
    """Read as openai-go did before 3.43: a block without data is the end."""
    for block in body.split("\n\n"):
        data = [line[6:] for line in block.splitlines() if line.startswith("data: ")]
        if not data:
            return
        yield "\n".join(data)


def by_the_book(body: str) -> Iterator[str]:
    """Read as https://html.spec.whatwg.org/multipage/server-sent-events.html says."""
    data: list[str] = []
    for line in re.split("\r\n|\r|\n", body):
        name, _, value = line.partition(":")
        if not line and data:
            yield "\n".join(data)
            data = []
        elif name == "data":
            data.append(value.removeprefix(" "))


def text_read(read: Callable[[str], Iterator[str]], body: str) -> str:
    """Put together what a client reads, which trusts every event to be as documented."""
    text = ""
    for data in read(body):
        if data == "[DONE]":
            return text
        choice = json.loads(data)["choices"][0]
        text += (choice["delta"].get("content") if "delta" in choice else choice["text"]) or ""
    raise AssertionError("the stream has no end")


@pytest.fixture(scope="module", params=[COMPLETIONS, TEXT])
def body(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Read a stream with a silence before each word but the first."""
    path: str = request.param
    with ScriptedUpstream() as upstream:
        reply = Gated(EVENTS[path])
        upstream.script(reply)
        with streaming_service(folder(tmp_path_factory), upstream, timings=QUICK) as service:
            asked = json.dumps({**good_body(path), "stream": True}).encode()
            headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(asked)))]
            with LiveAnswer(service.address, request_bytes("POST", path, headers, asked)) as live:
                return "".join(piece.decode() for piece in pieces_with_silences(live, reply))


def folder(factory: pytest.TempPathFactory) -> Path:
    """Make a folder for a service."""
    return factory.mktemp("parsers")


def pieces_with_silences(live: LiveAnswer, reply: Gated) -> Iterator[bytes]:
    """Let the upstream go on only when its silence has been filled."""
    for _ in WORDS:
        reply.let_go()
        yield live.read_piece()
        yield live.read_piece()
    reply.let_go()
    while piece := live.read_piece():
        yield piece


@pytest.mark.parametrize(
    "read",
    [by_blocks, by_blocks_with_data, by_data_lines, by_all_lines, by_the_book],
    ids=lambda read: read.__name__,
)
def test_every_parser_reads_the_text_across_silences(
    body: str, read: Callable[[str], Iterator[str]]
) -> None:
    assert text_read(read, body) == "".join(WORDS)
