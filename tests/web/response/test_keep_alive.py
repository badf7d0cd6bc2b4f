"""What is sent in a silence is understood by every client."""

from collections.abc import Iterator
from itertools import chain

import orjson
import pytest
from openai.types.chat import ChatCompletionChunk

from llm_api.services.chat import AnswerStream
from llm_api.web.response.sse import _Events, keep_alive
from tests.upstream.streamed import TEXT_HEAD, choice, ended, event, more, text

HEAD = b"data: " + text("one ") + b"\n\n"


class Silent(AnswerStream):
    """An answer with silences in it."""

    def __init__(self, *batches: list[bytes]) -> None:
        """Yield these batches; an empty one is a silence."""
        self._batches = (batch for batch in batches)
        self._first = []


def sent(*batches: list[bytes]) -> bytes:
    """Return the bytes that a client gets for batches."""
    return b"".join(_Events(Silent(*batches), {}, "req_1"))


SILENCES = [[text("one ")], [], [more("two ")], [], [], [more("three")], [ended()]]


def by_dify(body: bytes) -> Iterator[bytes]:
    """Cut at blank lines, and throw away every block that begins with a colon.

    Source: dify's OpenAI-compatible provider, `_handle_generate_stream_response`.
    """
    for block in map(bytes.strip, body.split(b"\n\n")):
        if block and not block.startswith(b":"):
            yield block.removeprefix(b"data: ").lstrip()


def by_old_openai_go(body: bytes) -> Iterator[bytes]:
    """End at the first block without data, as openai-go did before 3.43."""
    for block in body.split(b"\n\n"):
        data = [line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")]
        if not data:
            return
        yield b"\n".join(data)


def by_lines(body: bytes) -> Iterator[bytes]:
    """Take every line that is not blank for data, as many a small client does."""
    for line in body.split(b"\n"):
        if line:
            assert line.startswith(b"data: ")
            yield line[6:]


@pytest.mark.parametrize("parse", [by_dify, by_old_openai_go, by_lines])
def test_every_parser_reads_the_answer_around_a_silence(parse: object) -> None:
    *events, done = parse(sent(*SILENCES))  # type: ignore[operator]  # one of the functions above

    chunks = [orjson.loads(one) for one in events]
    assert done == b"[DONE]"
    assert len(chunks) == 7
    words = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert "".join(words) == "one two three"


def test_a_silence_becomes_a_chunk_of_the_same_answer() -> None:
    _, silence, *_ = by_dify(sent(*SILENCES))

    chunk = ChatCompletionChunk.model_validate_json(silence, strict=True)
    first = ChatCompletionChunk.model_validate_json(text("one "))
    assert (chunk.id, chunk.created, chunk.model) == (first.id, first.created, first.model)
    assert chunk.choices[0].to_dict() == {"index": 0, "delta": {}, "finish_reason": None}


def test_a_silence_of_a_text_completion_is_a_part_of_it() -> None:
    part = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": None}
    first = orjson.dumps({**TEXT_HEAD, "choices": [part]})

    silence = keep_alive(b"data: " + first + b"\n\n").removeprefix(b"data: ")

    assert orjson.loads(silence) == {**TEXT_HEAD, "choices": [part | {"text": ""}]}


def test_of_several_events_the_first_gives_the_head() -> None:
    events = b"".join(b"data: " + one + b"\n\n" for one in (text("a"), more("b")))

    assert keep_alive(events) == keep_alive(text("a"))


def test_nothing_of_a_first_event_but_its_head_is_repeated() -> None:
    first = event(choice({"content": "secret"}), fallback={"reason": "x"}, usage=None)

    assert set(orjson.loads(keep_alive(first).removeprefix(b"data: "))) == {
        *("id", "object", "created", "model", "choices")
    }


def test_nothing_is_sent_before_the_first_chunk() -> None:
    assert sent([], [text("a")], [ended()]) == sent([text("a")], [ended()])
    assert list(chain.from_iterable(SILENCES)) == [
        text("one "),
        more("two "),
        more("three"),
        ended(),
    ]
