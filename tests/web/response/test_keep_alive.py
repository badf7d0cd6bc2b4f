"""What is sent in a silence is a chunk of the same answer.

How parsers read it: tests/web/test_streaming_parsers.py.
"""

from itertools import chain

import orjson
from openai.types.chat import ChatCompletionChunk

from llm_api.services.chat import AnswerStream
from llm_api.web.response.sse import ChatWriter, _Events, keep_alive
from tests.upstream.streamed import TEXT_HEAD, choice, ended, event, more, text


class Silent(AnswerStream):
    """An answer with silences in it."""

    def __init__(self, *batches: list[bytes]) -> None:
        """Have these batches; an empty one is a silence."""
        self._coming = iter(batches)

    def next_batch(self) -> list[bytes] | None:
        """Return the next."""
        return next(self._coming, None)


def sent(*batches: list[bytes]) -> bytes:
    """Return the bytes that a client gets for batches."""
    return b"".join(_Events(Silent(*batches), ChatWriter(), {}, "req_1"))


SILENCES = [[text("one ")], [], [more("two ")], [], [], [more("three")], [ended()]]


def test_a_silence_becomes_a_chunk_of_the_same_answer() -> None:
    _, event_of_silence, *_ = sent(*SILENCES).split(b"\n\n")
    silence = event_of_silence.removeprefix(b"data: ")

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
