"""The list of an upstream's models is read in every form that servers give it."""

import json

import pytest

from llm_api.upstream.probes import read_list

FORMS = {
    "OpenAI": {"object": "list", "data": [{"id": "a", "object": "model"}, {"id": "b"}]},
    "OpenRouter": {"data": [{"id": "a", "name": "The A"}, {"id": "b", "pricing": {}}]},
    "Ollama's own": {"models": [{"name": "a", "model": "a"}, {"name": "b"}]},
    "llama.cpp": {"models": [{"name": "a"}, {"name": "b"}], "data": [{"id": "a"}, {"id": "b"}]},
    "Gemini's own": {"models": [{"name": "a", "displayName": "A"}, {"name": "b"}]},
    "a list at the top": [{"id": "a"}, {"id": "b"}],
    "names at the top": ["a", "b"],
    "names": {"data": ["a", "b"]},
    "one level further in": {"data": {"models": [{"id": "a"}, {"id": "b"}]}},
    "an empty list beside it": {"models": [], "data": [{"id": "a"}, {"id": "b"}]},
    "null beside it": {"models": None, "data": [{"id": "a"}, {"id": "b"}]},
    "twice": {"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]},
    "other things between": {"data": [None, {"id": "a"}, 7, {"id": None}, {}, ["x"], {"id": "b"}]},
}


@pytest.mark.parametrize("document", FORMS.values(), ids=FORMS)
def test_a_list_is_read_in_every_form(document: object) -> None:
    assert read_list(json.dumps(document).encode()) == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b"null",
        b'"a"',
        b"{}",
        b'{"error": {"message": "no"}}',
        b'{"data": "a"}',
        b'{"data": 1, "models": null}',
        b"[" * 5_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_list_says_nothing(body: bytes) -> None:
    assert read_list(body) is None


def test_an_empty_list_is_one() -> None:
    assert read_list(b'{"object": "list", "data": []}') == []
