"""A request for a rewrite is read by the fields that it has, as by all of them."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.web.rest.prompt_schemas import PromptRequestSchema

SCHEMA = PromptRequestSchema()
VALUES = st.sampled_from([None, True, 1, 3, 10**6, "a cat", "", "image", "en", "auto", [], ["cat"]])
NAMES = st.sampled_from([*SCHEMA.fields, "promt", "n_"])
GOOD = {"prompt": "a cat", "type": "image"}


def outcome(load: Any) -> Any:
    """Return what was read, or the errors in their order."""
    try:
        return load()
    except ma.ValidationError as error:
        return [(name, str(problem)) for name, problem in error.normalized_messages().items()]


@given(st.sampled_from([GOOD, {}]), st.dictionaries(NAMES, VALUES, max_size=6))
def test_a_request_is_read_as_by_the_whole_schema(
    start: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
    document = {**start, **fields}

    by_all = outcome(lambda: super(PromptRequestSchema, SCHEMA).load(document))

    assert outcome(lambda: SCHEMA.load(document)) == by_all


@pytest.mark.parametrize("document", [None, [], "a cat", 3])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(ma.ValidationError, match="must be an object"):
        SCHEMA.load(document)


def test_fields_that_a_request_lacks_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        ma.fields.Field,
        "deserialize",
        lambda _field, value, name, *_, **__: read.append(name) or value,
    )

    SCHEMA.load(GOOD)

    assert read == ["prompt", "type"]
