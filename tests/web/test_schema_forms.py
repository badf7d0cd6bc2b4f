"""A schema of the fields that are there loads what the schema of all fields would."""

from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.web.openai.chat_schemas import OpenAIChatRequestSchema
from llm_api.web.rest.prompt_schemas import PromptRequestSchema
from llm_api.web.rest.schemas import ChatRequestSchema
from llm_api.web.smorest import _MAX_FORMS, StrictSchema

MESSAGES = [{"role": "user", "content": "Hi"}]
GOOD = {"model": "m", "messages": MESSAGES, "prompt": "A cat"}
SCHEMAS = [OpenAIChatRequestSchema, ChatRequestSchema, PromptRequestSchema]
# One of each for all examples, as routes have them: what it keeps must not mix.
KEEPING = {kind: kind() for kind in SCHEMAS}
VALUES = st.sampled_from([None, True, 0, 1, 0.5, -3, "image", "x", "", [], ["a"], {}, {"a": 1}])


def outcome(load: Any, document: dict[str, Any]) -> object:
    """Return what was loaded, or the messages of the error."""
    try:
        return load(document)
    except ma.ValidationError as error:
        return error.messages


@pytest.mark.parametrize("kind", SCHEMAS)
@given(data=st.data())
def test_the_result_is_that_of_all_fields(kind: type[StrictSchema], data: st.DataObject) -> None:
    schema = KEEPING[kind]
    names = st.sampled_from([*schema.load_fields, "unknown", "top_k"])
    document = GOOD | data.draw(st.dictionaries(names, VALUES, max_size=5))

    expected = outcome(lambda given: ma.Schema.load(kind(), given), document)

    assert outcome(schema.load, document) == expected


def test_only_the_fields_that_are_there_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    schema, seen = OpenAIChatRequestSchema(), []
    schema.load(GOOD)
    plain = ma.fields.Field.deserialize

    def deserialize(field: ma.fields.Field[Any], *args: Any, **options: Any) -> Any:
        seen.append(field.name)
        return plain(field, *args, **options)

    monkeypatch.setattr(ma.fields.Field, "deserialize", deserialize)

    schema.load(GOOD)

    assert set(seen) == {"model", "messages"}


def test_clients_cannot_make_it_keep_ever_more() -> None:
    schema = OpenAIChatRequestSchema()
    names = [name for name in schema.load_fields if name not in GOOD]

    for number in range(3 * _MAX_FORMS):
        chosen = [name for place, name in enumerate(names) if number >> place & 1]
        loaded = schema.load(GOOD | dict.fromkeys(chosen))
        assert loaded.model_request.model == "m"

    assert len(schema._forms) == _MAX_FORMS
