"""JSON with pictures in it: the base64 is passed on as bytes, and all else is as it was."""

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.upstream.images.long_texts import base64_of, data_uri, read_json, written
from tests.upstream.images.painter import load, square, stored

LONG = base64.b64encode(bytes(range(256)) * 12)
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
def test_pictures_come_as_bytes(before: Any, after: Any, spaces: bool) -> None:  # noqa: FBT001
    document = [before, {"b64_json": LONG.decode(), "after": after}, LONG.decode()]
    body = json.dumps(document, separators=(", ", " : ") if spaces else (",", ":")).encode()

    assert read_json(body) == [before, {"b64_json": LONG, "after": after}, LONG]


@given(document=documents)
def test_what_is_written_is_read_again(document: Any) -> None:
    body = written({"a": document, "b": [LONG, LONG]})

    assert orjson.loads(body) == {"a": document, "b": [LONG.decode(), LONG.decode()]}


def test_escaped_slashes_are_slashes() -> None:
    text = "ab//" * 600
    body = b'{"b64_json":"' + text.replace("/", "\\/").encode() + b'"}'

    assert read_json(body) == {"b64_json": text.encode()}


def test_a_long_sentence_stays_a_text() -> None:
    prompt = "a cat on a mat " * 200

    assert read_json(orjson.dumps({"revised_prompt": prompt})) == {"revised_prompt": prompt}


def test_a_data_uri_is_base64_with_a_prefix() -> None:
    uri = b"data:image/png;base64," + LONG

    assert read_json(orjson.dumps([uri.decode()])) == [uri]
    assert base64_of(uri) == base64_of(uri.decode()) == LONG


@pytest.mark.parametrize("value", [None, "", b"", 7, [], {}], ids=repr)
def test_what_is_no_base64(value: object) -> None:
    assert base64_of(value) is None


@pytest.mark.parametrize("cut", [1, 20, 1500, 3000])
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
