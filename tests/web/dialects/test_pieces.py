"""A stream and the whole answer that is put together of it have the same pieces."""

from collections.abc import Iterable
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_api.domain.calls import TokenUsage
from llm_api.web.dialects.pieces import (
    Counted,
    Finished,
    Piece,
    PieceReader,
    Refusal,
    Text,
    Thought,
    ToolArguments,
    ToolBegun,
    pieces_of,
)
from tests.support.tables import each
from tests.upstream.streamed import DONE, USAGE, choice, collected, ended, event, more, taken, text
from tests.web.dialects.drawn_answers import answers, batches_of


def read(batches: Iterable[list[bytes]]) -> list[Piece]:
    """Return the pieces of a stream."""
    reader = PieceReader()
    pieces = [piece for batch in batches for piece in reader.read(batch)]
    return pieces + reader.end()


def said(pieces: Iterable[Piece]) -> dict[str, Any]:
    """Return what the pieces say together."""
    whole: dict[str, Any] = {"Text": "", "Thought": "", "Refusal": "", "calls": {}, "ends": []}
    for piece in pieces:
        if isinstance(piece, Text | Thought | Refusal):
            whole[type(piece).__name__] += piece.text
        elif isinstance(piece, ToolBegun):
            assert piece.place not in whole["calls"]
            whole["calls"][piece.place] = [piece.id, piece.name, ""]
        elif isinstance(piece, ToolArguments):
            whole["calls"][piece.place][2] += piece.text
        else:
            whole["ends"].append(piece)
    return whole


@settings(max_examples=100)
@given(st.data())
def test_a_stream_says_what_the_whole_answer_says(data: st.DataObject) -> None:
    chunks = taken(data.draw(answers()), shows_usage=True)

    streamed = said(read(data.draw(batches_of(chunks))))

    whole = said(pieces_of(collected([*chunks, DONE]).document))
    # Without arguments, a whole call has those of no parameters.
    for call in streamed["calls"].values():
        call[2] = call[2] or "{}"
    for call in whole["calls"].values():
        call[2] = call[2] or "{}"
    assert streamed == whole


def calls(*parts: dict[str, Any], **more_of_delta: Any) -> bytes:
    """Make a chunk with parts of calls."""
    return event(choice({"tool_calls": list(parts), **more_of_delta}))


HEAD_OF_CALL = {"id": "call_1", "type": "function"}
CASES: list[tuple[str, list[bytes], list[Piece]]] = [
    ("neighbors are one piece", [text("a"), more("b"), more("c")], [Text("abc")]),
    (
        "a text behind thoughts",
        [event(choice({"reasoning": "t"})), more("b")],
        [Thought("t"), Text("b")],
    ),
    (
        "thoughts that have both names are said once",
        [event(choice({"reasoning": "t", "reasoning_content": "t"}))],
        [Thought("t")],
    ),
    ("another choice", [event(choice({"content": "b"}, 1)), more("a")], [Text("a")]),
    (
        "two choices in one chunk",
        [event(choice({"content": "b"}, 1), choice({"content": "a"}))],
        [Text("a")],
    ),
    ("no choice", [event()], []),
    (
        "a name in parts",
        [
            calls({"index": 0, **HEAD_OF_CALL, "function": {"name": "get_"}}),
            calls({"index": 0, "function": {"name": "time", "arguments": ""}}),
            calls({"index": 0, "function": {"arguments": "{}"}}),
        ],
        [ToolBegun(0, "call_1", "get_time"), ToolArguments(0, "{}")],
    ),
    (
        "a call without arguments begins before the end",
        [calls({"index": 0, **HEAD_OF_CALL, "function": {"name": "f", "arguments": ""}}), ended()],
        [ToolBegun(0, "call_1", "f"), Finished("stop")],
    ),
    (
        "a custom tool",
        [calls({"index": 0, "id": "c", "type": "custom", "custom": {"name": "f", "input": "x y"}})],
        [ToolBegun(0, "c", "f", is_custom=True), ToolArguments(0, "x y")],
    ),
    (
        "a call of the time before tools",
        [event(choice({"function_call": {"name": "f", "arguments": "{}"}}))],
        [ToolBegun(-1, "call_function", "f"), ToolArguments(-1, "{}")],
    ),
    (
        "a usage",
        [event(usage={**USAGE, "prompt_tokens_details": {"cache_write_tokens": 4}})],
        [Counted(TokenUsage(5, 2, "upstream"), 4)],
    ),
]


@each(("what", "chunks", "wanted"), CASES)
def test_a_batch_of_chunks_becomes_pieces(
    what: str, chunks: list[bytes], wanted: list[Piece]
) -> None:
    assert read([chunks]) == wanted, what


def test_a_known_form_of_another_choice_is_not_taken_for_the_first() -> None:
    chunks = [event(choice({"content": str(n)}, n % 2)) for n in range(8)]

    assert read([[one] for one in chunks]) == [Text(n) for n in "0246"]


def test_a_written_cache_is_never_more_than_the_prompt() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    details = {"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 9}}

    [piece] = read([[event(usage=usage | details)]])

    assert isinstance(piece, Counted)
    assert (piece.written, piece.usage.cached_tokens) == (0, 3)


def test_a_whole_answer_without_usage_has_no_count() -> None:
    document = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": None}

    assert pieces_of(orjson.loads(orjson.dumps(document))) == [Text("a"), Finished("stop")]
