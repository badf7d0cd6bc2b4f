"""A schema of the fields that are there loads what the schema of all fields would."""

from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.web.openai.chat_schemas import OpenAIChatRequestSchema
from llm_api.web.request.body import MAX_FORMS, SchemaForms
from llm_api.web.rest.prompt_schemas import PromptRequestSchema
from llm_api.web.rest.schemas import ChatRequestSchema

MESSAGES = [{"role": "user", "content": "Hi"}]
GOOD = {"model": "m", "messages": MESSAGES, "prompt": "A cat"}
SCHEMAS = [OpenAIChatRequestSchema, ChatRequestSchema, PromptRequestSchema]
# One of each for all examples, as routes have them: what it keeps must not mix.
KEEPING = {kind: SchemaForms(kind()) for kind in SCHEMAS}
VALUES = st.sampled_from([None, True, 0, 1, 0.5, -3, "image", "x", "", [], ["a"], {}, {"a": 1}])


def outcome(schema: ma.Schema, document: dict[str, Any]) -> object:
    """Return what was loaded, or the messages of the error."""
    try:
        return schema.load(document)
    except ma.ValidationError as error:
        return list(error.messages.items())  # the first one is the message


@pytest.mark.parametrize("kind", SCHEMAS)
@given(data=st.data())
def test_the_result_is_that_of_all_fields(kind: type[ma.Schema], data: st.DataObject) -> None:
    names = st.sampled_from([*kind().load_fields, "unknown", "top_k"])
    document = GOOD | data.draw(st.dictionaries(names, VALUES, max_size=5))

    assert outcome(KEEPING[kind].of(document), document) == outcome(kind(), document)


def test_only_the_fields_that_are_there_are_looked_at() -> None:
    assert set(SchemaForms(OpenAIChatRequestSchema()).of(GOOD).load_fields) == {"model", "messages"}


def test_clients_cannot_make_it_keep_ever_more() -> None:
    forms = SchemaForms(OpenAIChatRequestSchema())
    names = [name for name in OpenAIChatRequestSchema().load_fields if name not in GOOD]

    for number in range(3 * MAX_FORMS):
        chosen = [name for place, name in enumerate(names) if number >> place & 1]
        document = GOOD | dict.fromkeys(chosen)
        assert forms.of(document).load(document).model_request.model == "m"

    assert len(forms._forms) == MAX_FORMS
