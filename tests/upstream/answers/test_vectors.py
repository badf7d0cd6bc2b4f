"""Embeddings come in the encoding that was asked for."""

import base64
import math
import struct
from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Operation
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault

VECTORS = [[0.1, 0.2, 0.3, 0.4], [-1.5, 0.0, 2.25, 1e-30], [float(n) for n in range(1024)]]


def encoded(vector: list[float]) -> str:
    """Write a vector as OpenAI does."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def result(embeddings: list[Any], encoding: Any) -> list[Any]:
    """Return the embeddings that are passed on where `encoding` was asked for."""
    data = [
        {"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(embeddings)
    ]
    body = orjson.dumps({"object": "list", "data": data, "model": "e"})
    completion = parse_answer(body, Operation.EMBEDDINGS, encoding=encoding)
    document = orjson.loads(completion.body)
    assert [one["index"] for one in document["data"]] == list(range(len(data)))
    return [one["embedding"] for one in document["data"]]


@pytest.mark.parametrize("vectors", [VECTORS[:1], VECTORS[:2], VECTORS], ids=len)
def test_numbers_become_base64_where_that_was_asked_for(vectors: list[list[float]]) -> None:
    assert result(vectors, "base64") == [encoded(vector) for vector in vectors]


@pytest.mark.parametrize("encoding", [None, "float"])
@pytest.mark.parametrize("vectors", [VECTORS[:1], VECTORS], ids=len)
def test_base64_becomes_numbers_where_they_were_asked_for(
    vectors: list[list[float]], encoding: str | None
) -> None:
    found = result([encoded(vector) for vector in vectors], encoding)

    for numbers, vector in zip(found, vectors, strict=True):
        assert len(numbers) == len(vector)
        assert all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(numbers, vector, strict=True))


def test_of_several_only_the_other_ones_are_changed() -> None:
    assert result([VECTORS[0], encoded(VECTORS[1])], "base64") == [
        encoded(VECTORS[0]),
        encoded(VECTORS[1]),
    ]


def test_whole_numbers_are_numbers() -> None:
    assert result([[1, 0, -1]], "base64") == [encoded([1.0, 0.0, -1.0])]


@pytest.mark.parametrize(
    "embedding",
    [
        [[0.5, -2.0]],
        {"float": [0.5, -2.0]},
        {"base64": "AAAAPwAAAMA="},
        "AAAAPwAAAMA",
        "AAAA\nPwAAAMA=",
    ],
    ids=repr,
)
def test_a_vector_in_another_form_is_one(embedding: Any) -> None:
    assert result([embedding], "float") == [[0.5, -2.0]]


def test_base64_may_be_that_of_addresses() -> None:
    assert result(["__9_fw"], None) == result(["//9/fw=="], None)


@pytest.mark.parametrize(
    ("embedding", "encoding"),
    [(VECTORS[0], None), (VECTORS[0], "float"), (encoded(VECTORS[0]), "base64")],
    ids=["numbers", "numbers by name", "base64"],
)
def test_what_comes_as_asked_is_passed_on_byte_by_byte(embedding: Any, encoding: Any) -> None:
    body = orjson.dumps(
        {"object": "list", "data": [{"index": 0, "embedding": embedding}]},
        option=orjson.OPT_INDENT_2,
    )

    assert parse_answer(body, Operation.EMBEDDINGS, encoding=encoding).body == body


@pytest.mark.parametrize("encoding", ["int8", "base64_int8", "ubinary"])
@pytest.mark.parametrize("embedding", [[1, 2], "AQI="], ids=repr)
def test_an_encoding_of_a_vendors_own_is_left_alone(embedding: Any, encoding: str) -> None:
    assert result([embedding], encoding) == [embedding]


def test_vectors_of_several_kinds_are_left_alone() -> None:
    """Some vendors send dense and sparse ones together."""
    assert result([{"dense": [0.5], "sparse": {"1": 0.5}}], "base64") == [
        {"dense": [0.5], "sparse": {"1": 0.5}}
    ]


@pytest.mark.parametrize(
    ("embedding", "encoding"),
    [
        (["a"], "base64"),
        ([[0.5], [1.0]], "base64"),
        ([None], "base64"),
        ("?", None),
        ("AAA=", "float"),
    ],
    ids=repr,
)
def test_what_is_no_vector_is_a_bad_response(embedding: Any, encoding: Any) -> None:
    with pytest.raises(Fault) as raised:
        result([embedding], encoding)

    assert raised.value.error.reason == "upstream_bad_response"
