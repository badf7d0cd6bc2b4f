"""JSON with pictures in it: the base64 is passed on as bytes, and all else is as it was."""

import base64
import json
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.making import DecodedBase64
from llm_api.upstream.media.lifting import Lifter
from llm_api.upstream.media.long_texts import base64_of, data_uri, read_json, written
from tests.support.tables import each
from tests.upstream.images.painter import load, square, stored

DATA = bytes(range(256)) * 12
LONG, DECODED = base64.b64encode(DATA), DecodedBase64(DATA)
texts = st.text() | st.sampled_from(['"', "\\", '\\"', "a\\", "x" * 2000 + " y", "/" * 3])
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(document=documents)
def test_json_without_pictures_is_read_as_any_json(document: Any) -> None:
    body = orjson.dumps({"rest": document, "filling": " y" * 600})

    assert read_json(body) == orjson.loads(body)


@given(before=documents, after=documents, spaces=st.booleans())
def test_pictures_come_decoded(before: Any, after: Any, spaces: bool) -> None:  # noqa: FBT001
    document = [before, {"b64_json": LONG.decode(), "after": after}, LONG.decode()]
    body = json.dumps(document, separators=(", ", " : ") if spaces else (",", ":")).encode()

    assert read_json(body) == [before, {"b64_json": DECODED, "after": after}, DECODED]


@given(document=documents)
def test_what_is_written_is_read_again(document: Any) -> None:
    body = written({"a": document, "b": [LONG, LONG]})

    assert orjson.loads(body) == {"a": document, "b": [LONG.decode(), LONG.decode()]}


def test_escaped_slashes_are_slashes() -> None:
    text = "ab//" * 600
    body = b'{"b64_json":"' + text.replace("/", "\\/").encode() + b'"}'

    assert read_json(body) == {"b64_json": DecodedBase64(base64.b64decode(text))}


def test_a_long_sentence_stays_a_text() -> None:
    prompt = "a cat on a mat " * 200

    assert read_json(orjson.dumps({"revised_prompt": prompt})) == {"revised_prompt": prompt}


def test_a_data_uri_is_base64_with_a_prefix() -> None:
    uri = b"data:image/png;base64," + LONG

    assert read_json(orjson.dumps([uri.decode()])) == [DECODED]
    assert base64_of(uri) == base64_of(uri.decode()) == LONG
    assert base64_of(DECODED) == DECODED


@each("value", [None, "", b"", 7, [], {}])
def test_what_is_no_base64(value: object) -> None:
    assert base64_of(value) is None


@each("cut", [1, 20, 1500, 3000])
def test_json_that_is_cut_is_none(cut: int) -> None:
    body = orjson.dumps({"data": [{"b64_json": LONG.decode()}]})

    with pytest.raises(ValueError, match=r"."):
        read_json(body[:-cut])


def test_a_caller_cannot_write_our_marks() -> None:
    document = {"a": "base64-000000000000000000000000-0", "b": LONG}

    assert orjson.loads(written(document))["a"] == document["a"]


def test_other_things_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        written({"a": object()})


def test_a_picture_of_a_caller_as_a_data_uri() -> None:
    uri = data_uri(square("a"), load)

    assert uri == b"data:image/png;base64," + base64.b64encode(stored("a"))


def test_many_short_strings_are_not_searched_for_ever() -> None:
    body = orjson.dumps([""] * 200_000 + [LONG.decode()])

    assert read_json(body)[-1] == LONG.decode()


def fed(body: bytes, cuts: Iterable[int]) -> Any:
    """Return what a document is that comes in pieces."""
    lifter = Lifter(len(body))
    for start, end in pairwise([0, *sorted({cut % (len(body) + 1) for cut in cuts}), len(body)]):
        lifter.feed(body[start:end])
    return read_json(*lifter.end())


@given(before=documents, cuts=st.lists(st.integers(0, 2**40), max_size=40))
def test_where_pieces_end_makes_no_difference(before: Any, cuts: list[int]) -> None:
    slashed = json.dumps({"a": "/" * 3000, "b": "x/" * 800}).replace("/", "\\/")
    document = [before, {"b64_json": LONG.decode()}, json.loads(slashed), "\\" * 3000, "é" * 900]
    body = json.dumps([*document[:2], "SLASHED", *document[3:]]).replace('"SLASHED"', slashed)

    assert fed(body.encode(), cuts) == read_json(body.encode())


NO_BASE64 = {
    "a padding in the middle": LONG.decode() + "QQ==" + LONG.decode(),
    "a group that is cut off": LONG.decode() + "QQ",
    "blanks": "QUJD QUJD " * 400,
    "line ends": base64.encodebytes(DATA).decode(),
    "other escapes": LONG.decode() + "\t" + LONG.decode(),
    "the alphabet of addresses": "ab-_" * 800,
    "a quote": LONG.decode() + '"' + LONG.decode(),
    "a prefix alone": "data:image/png;base64," + "é" * 1200,
    "a backslash at the end": LONG.decode() + "\\",
}


@each("text", NO_BASE64.values())
@each("size", [1, 7, 1000, 4096, 100_000])
def test_what_is_no_base64_stays_a_text(text: str, size: int) -> None:
    body = json.dumps({"before": LONG.decode(), "text": text, "after": 1}).encode()

    found = fed(body, range(0, len(body), size))

    assert found == {"before": DECODED, "text": text, "after": 1}


@each("expected", [0, 10, 1_000_000])
def test_the_expected_length_is_a_guess(expected: int) -> None:
    lifter = Lifter(expected)
    lifter.feed(b'["' + LONG + b'"]')

    assert read_json(*lifter.end()) == [DECODED]


def test_memory_for_a_picture_is_that_of_its_bytes() -> None:
    picture = bytes(range(256)) * 32_768
    text = base64.b64encode(picture)
    pieces = [b'{"data":[{"b64_json":"', *in_pieces(text, 65_536), b'"}]}']
    del text

    tracemalloc.start()
    lifter = Lifter(sum(map(len, pieces)))
    for piece in pieces:
        lifter.feed(piece)
    document = read_json(*lifter.end())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert document["data"][0]["b64_json"].data == picture
    assert peak < len(picture) * 1.1


def in_pieces(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]
