"""By no field can a client choose the upstream, its key or its headers; its own names are free."""

import copy
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from llm_api.errors import InvalidRequest
from llm_api.web.request.strict_json import decode_object
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.refusals import CHATS, COMPLETIONS, POSTS, good_body

MESSAGE = {"role": "user", "content": "Hello"}
REFUSED = (400, "VALIDATION_ERROR", "forbidden_parameter", False)
FORBIDDEN = [
    "api_base",
    "base_url",
    "baseURL",
    "api_key",
    "apiKey",
    "api_type",
    "azure_endpoint",
    "deployment_id",
    "headers",
    "extra_headers",
    "default_headers",
    "extra_query",
    "user_config",
    "custom_llm_provider",
    "proxy",
]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("name", FORBIDDEN[::3])
@pytest.mark.parametrize(
    ("around", "where"),
    [
        ("{}", ""),
        ('{"options": {}}', "options."),
        ('{"stop": [1, {}]}', "stop[1]."),
        ('{"stop": [[{"x": [{}]}]]}', "stop[0][0].x[0]."),
    ],
)
def test_a_parameter_that_is_the_operators_is_refused(
    refuse: Refuse, path: str, name: str, around: str, where: str
) -> None:
    with ScriptedUpstream() as evil:
        injected = json.loads(around.replace("{}", json.dumps({name: evil.url})))

        refusal = refuse(path, good_body(path) | injected)

        assert refusal.verdict == REFUSED
        assert refusal.fields == (where + name,)
        assert evil.connections == 0


@pytest.mark.parametrize("path", CHATS)
def test_a_parameter_that_is_the_operators_is_refused_inside_a_message(
    refuse: Refuse, path: str
) -> None:
    message = MESSAGE | {"api_base": "http://127.0.0.1:1/v1"}

    refusal = refuse(path, good_body(path) | {"messages": [MESSAGE, message]})

    assert refusal.verdict == REFUSED
    assert refusal.fields == ("messages[1].api_base",)


FUNCTION = {"name": "fetch", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}],
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


@each("name", FORBIDDEN)
@each(
    ("fields", "where"),
    [
        ({"tools": [TOOL, TOOL]}, "tools[1]"),
        ({"tools": [TOOL]}, "tools[0].function"),
        ({"tools": [{**TOOL, "options": {}}]}, "tools[0].options"),
        ({"functions": [FUNCTION]}, "functions[0]"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"response_format": FORMAT}, "response_format"),
        ({"response_format": FORMAT}, "response_format.json_schema"),
        ({"messages": [{**MESSAGE, "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [MESSAGE]}, "messages[0]"),
        ({"stream_options": {}}, "stream_options"),
    ],
)
def test_a_parameter_that_is_the_operators_is_refused_beside_the_callers_own_names(
    name: str, fields: dict[str, Any], where: str
) -> None:
    injected = copy.deepcopy(fields)
    at(injected, where)[name] = "http://127.0.0.1:1/v1"

    with pytest.raises(InvalidRequest) as raised:
        decode_object(json.dumps(good_body(COMPLETIONS) | injected).encode())

    assert raised.value.reason == "forbidden_parameter"
    assert [wrong.field for wrong in raised.value.fields] == [f"{where}.{name}"]


def at(document: Any, path: str) -> Any:
    """Go down to a place such as `tools[0].function`."""
    for step in path.replace("]", "").replace("[", ".").split("."):
        document = document[int(step) if step.isdecimal() else step]
    return document


@pytest.mark.parametrize("name", FORBIDDEN[::4])
@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"tools": [TOOL, TOOL]}, "tools[1].function.parameters"),
        ({"functions": [FUNCTION]}, "functions[0].parameters"),
        ({"response_format": FORMAT}, "response_format.json_schema.schema"),
        # llama.cpp's and Together's form
        ({"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema"),
        # vLLM's forms
        (
            {
                "response_format": {
                    "type": "structural_tag",
                    "structures": [{"begin": "<f>", "schema": {}, "end": "</f>"}],
                }
            },
            "response_format.structures[0].schema",
        ),
        ({"structured_outputs": {"json": {}}}, "structured_outputs.json"),
        ({"guided_json": {}}, "guided_json"),
        ({"json_schema": {}}, "json_schema"),
        ({"tools": [{**TOOL, "input_schema": {}}]}, "tools[0].input_schema"),
        # a call that a model has made, as Ollama and Gemini write it
        ({"messages": [CALL]}, "messages[0].tool_calls[0].function.arguments"),
    ],
)
def test_what_is_the_callers_own_may_be_named_like_a_parameter_of_the_operator(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    name: str,
    fields: dict[str, Any],
    where: str,
) -> None:
    named = copy.deepcopy(fields)
    schema = at(named, where)
    schema |= {"properties": {name: {"type": "string", "default": {name: 1}}}, "required": [name]}
    schema[name] = 1

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | named)

    assert answer.status_code == 200, answer.text
    sent = upstream.requests[0].json
    assert {field: sent[field] for field in named} == named


@pytest.mark.parametrize("name", FORBIDDEN[::4])
def test_metadata_may_be_named_like_a_parameter_of_the_operator(
    client: FlaskClient, upstream: ScriptedUpstream, name: str
) -> None:
    metadata = {name: "http://127.0.0.1:1/v1"}

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"metadata": metadata})

    assert answer.status_code == 200, answer.text
    assert name.encode() not in upstream.requests[0].body


@pytest.mark.parametrize(
    "around",
    [
        {"metadata_x": {}},
        {"x": {"metadata": {}}},
        {"x": {"tools": [{"function": {"parameters": {}}}]}},
        {"x.metadata": {}},
        {"messages": {"metadata": {}}},
        {"tools": {"function": {"parameters": {}}}},
        {"tools": [{"function": {"parameters_x": {}}}]},
        {"response_format": {"schema_x": {}}},
        {"response_format": {"x": [{"schemas": {}}]}},
        {"structured_outputs": {}},
        {"tools": [{"headers": {}}]},
    ],
    ids=str,
)
def test_a_name_that_looks_like_a_place_of_the_callers_own_is_none(
    refuse: Refuse, around: dict[str, Any]
) -> None:
    text = json.dumps(around).replace("{}", '{"api_base": "http://127.0.0.1:1/v1"}')

    refusal = refuse(COMPLETIONS, good_body(COMPLETIONS) | json.loads(text))

    assert refusal.verdict == REFUSED
