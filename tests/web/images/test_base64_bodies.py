"""Pictures in JSON: whole, in few copies, whatever else stands in the document."""

import base64
import json
import tracemalloc
from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.files import StoredFile
from llm_api.web.images.base64_bodies import Base64Of, encoded, pieces_of, response_with_files
from tests.web.images.studio import stored

MIB = 1 << 20


def in_pieces(content: bytes, size: int) -> Iterator[bytes]:
    """Yield a content piece by piece."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


@given(st.lists(st.binary(max_size=50), max_size=4), st.integers(1, 9), st.text())
def test_what_is_written_is_what_was_read(contents: list[bytes], size: int, text: str) -> None:
    files = {f"file_{i:08}": content for i, content in enumerate(contents)}
    data = [Base64Of(stored(i, content)) for i, content in enumerate(contents)]

    body = b"".join(
        encoded(pieces_of({"text": text, "data": data}), lambda f: in_pieces(files[f.id], size))
    )

    document = json.loads(body)
    assert [base64.b64decode(one) for one in document["data"]] == contents
    assert document["text"] == text


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1_000])
def test_the_length_is_known_before_the_files_are_read(size: int) -> None:
    content = b"x" * size

    response = response_with_files(
        {"a": Base64Of(stored(0, content)), "b": 1}, lambda _: in_pieces(content, 7)
    )

    assert response.content_length == len(b"".join(response.response))  # type: ignore[arg-type]


def test_a_large_picture_is_never_held_whole(app: Flask) -> None:
    def read(_: StoredFile) -> Iterator[bytes]:
        for _ in range(32):
            yield bytes(MIB)

    with app.app_context():
        tracemalloc.start()
        document = {"data": [Base64Of(stored(0, bytes(32 * MIB)))]}
        tracemalloc.reset_peak()
        sent = sum(map(len, response_with_files(document, read).response))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert sent > 40 * MIB
    assert peak < 8 * MIB


def test_other_objects_are_no_json() -> None:
    with pytest.raises(TypeError):
        pieces_of({"a": object()})
