"""An error inside a good answer is an error, in every vendor's shape; and nothing else is."""

from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Operation
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault
from llm_api.upstream.http.sse import ErrorEvent
from llm_api.upstream.vendors.errors import ErrorClassifier
from tests.support.tables import each
from tests.upstream.streamed import DONE, HEAD, choice, collected, ended, event, taken, text

INNER = {"code": 502, "message": "Provider returned error"}
FLAT = {"code": "InternalError", "message": "try again", "request_id": "r"}
# What comes, and what is found in it: what it means is decided by the classifier.
ERRORS: dict[str, tuple[Any, Any]] = {
    "OpenAI": ({"error": {"message": "no", "type": "server_error"}}, ...),
    "beside empty choices": ({"error": INNER, "choices": []}, INNER),
    "beside an answer": ({"error": INNER, "choices": [{"message": {"content": "Hi"}}]}, INNER),
    "a text": ({"error": "overloaded"}, "overloaded"),
    "a list": ({"error": [{"message": "no"}]}, [{"message": "no"}]),
    "a flag": ({"error": True, "message": "no"}, {"error": True, "message": "no"}),
    "a number": ({"error": 500, "message": "no"}, {"error": 500, "message": "no"}),
    "Anthropic": ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, ...),
    "DashScope": (FLAT, FLAT),
    "vLLM": ({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}, None),
    "MiniMax": (
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no balance"}},
        {"status_code": 1008, "status_msg": "no balance"},
    ),
    "MiniMax with a text": (
        {
            "choices": [{"message": {"content": ""}}],
            "base_resp": {"status_code": 1027, "status_msg": "sensitive"},
        },
        {"status_code": 1027, "status_msg": "sensitive"},
    ),
    "DeepInfra": (
        {"choices": None, "error_message": "too long", "error_type": "invalid_request"},
        {"error_message": "too long", "error_type": "invalid_request"},
    ),
    "Baidu": ({"error_code": 336003, "error_msg": "no"}, {"error_code": 336003, "error_msg": "no"}),
    "camel case": ({"errorCode": "E1", "errorMessage": "no"}, ...),
    "FastAPI": ({"detail": "Internal error"}, {"detail": "Internal error"}),
    "FastAPI's list": ({"detail": [{"loc": ["body"], "msg": "no"}]}, ...),
    "errors": ({"errors": [{"message": "no"}]}, {"errors": [{"message": "no"}]}),
    "a flag of success": ({"success": False, "msg": "no"}, {"success": False, "msg": "no"}),
    "a status": ({"status": "error", "message": "no"}, {"status": "error", "message": "no"}),
    "a failed status": ({"status": "failed", "msg": "no", "id": "x"}, ...),
    "Tencent": (
        {"Response": {"Error": {"Code": "LimitExceeded", "Message": "no"}, "RequestId": "r"}},
        {"Code": "LimitExceeded", "Message": "no"},
    ),
    "iFlytek": (
        {"header": {"code": 11202, "message": "licc limit", "status": 2}},
        {"code": 11202, "message": "licc limit", "status": 2},
    ),
    "Bedrock": ({"__type": "ThrottlingException", "message": "wait"}, ...),
    "a code and a sentence": ({"code": 1113, "msg": "欠费"}, {"code": 1113, "msg": "欠费"}),
}
IN_CHOICES: dict[str, tuple[dict[str, Any], Any]] = {
    "OpenRouter": ({"finish_reason": "error", "error": INNER}, INNER),
    "without a reason": ({"finish_reason": None, "error": INNER}, INNER),
    "without an error": ({"finish_reason": "error"}, {"type": "error", "message": ""}),
    "Zhipu": ({"finish_reason": "network_error"}, {"type": "network_error", "message": ""}),
    "a text": ({"finish_reason": "error", "error": "lost"}, "lost"),
}
NO_ERRORS: list[dict[str, Any]] = [
    {"error": None},
    {"error": {}},
    {"error": ""},
    {"error": []},
    {"error": False},
    {"error": 0},
    {"error": {"code": 0, "message": "success"}},
    {"error": {"code": "0", "message": ""}},
    {"error": {"code": None, "message": None, "type": ""}},
    {"error": "success"},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
    {"base_resp": {"status_code": 0, "status_msg": "success"}},
    {"base_resp": None},
    {"base_resp": {}},
    {"code": 0, "msg": "success"},
    {"code": 200, "message": "OK"},
    {"status": "completed", "success": True},
    {"error_code": 0, "error_msg": ""},
    {"errors": []},
    {"detail": None},
    {"message": "Hi", "warning": "deprecated"},
    {"header": {"code": 0, "message": "Success"}},
    {"Response": {"RequestId": "r"}},
]
GOOD = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]


class Found(Exception):
    """What the classifier was given."""


class Recording(ErrorClassifier):
    """Keeps the error that it is given, in place of its meaning."""

    def of_embedded(self, error: object) -> Fault:
        """Raise what was given."""
        raise Found(error)


def found_in(*events: bytes) -> Any:
    """Return the error that is found in the events of a stream."""
    answer = StreamedAnswer(classifier=Recording())
    try:
        for one in events:
            answer.take(one)
    except Found as found:
        return found.args[0]
    raise AssertionError("no error was found")


DEEP = "[" * 900 + "0" + "]" * 900
CHOICE = '"message": {"content": "Hi"}, "finish_reason": "stop"'


@each(
    "body",
    [
        f'{{"error": {DEEP}}}',
        f'{{"errors": {DEEP}}}',
        f'{{"Response": {{"Error": {DEEP}}}}}',
        f'{{"choices": [{{{CHOICE}, "error": {DEEP}}}]}}',
    ],
)
def test_an_error_that_is_nested_deeper_than_python_is_no_fault_of_ours(body: str) -> None:
    for read in (parse_answer, StreamedAnswer().take):
        with pytest.raises(Fault) as raised:
            read(body.encode())

        assert raised.value.error.reason == "upstream_bad_response"


@each("name", ERRORS)
def test_an_error_in_a_whole_answer_is_found(name: str) -> None:
    document, wanted = ERRORS[name]

    with pytest.raises(Found) as raised:
        parse_answer(orjson.dumps(document), classifier=Recording())

    assert_found(raised.value.args[0], document, wanted)


@each("before", [[], [text("Hi")]])
@each("name", ERRORS)
def test_an_error_in_an_event_is_found(name: str, before: list[bytes]) -> None:
    document, wanted = ERRORS[name]

    assert_found(found_in(*before, orjson.dumps(document)), document, wanted)


def assert_found(found: Any, document: dict[str, Any], wanted: Any) -> None:
    """Compare: an ellipsis stands for the error inside, or else for all fields."""
    if wanted is ...:
        inner = document.get("error") or {n: v for n, v in document.items() if n != "id"}
        assert found == inner
    elif wanted is not None:
        assert found == wanted
    else:
        assert found["message"] == document["message"]


@each("form", [{"message": "no"}, {"msg": "no"}, {"title": "Bad gateway"}])
def test_a_sentence_in_place_of_an_answer_is_an_error(form: dict[str, Any]) -> None:
    with pytest.raises(Found):
        parse_answer(orjson.dumps(form), classifier=Recording())


def test_a_sentence_in_front_of_an_answer_is_none() -> None:
    answer = StreamedAnswer(classifier=Recording())
    for one in (b'{"message":"loading"}', text("Hi"), DONE):
        answer.take(one)

    with pytest.raises(Fault) as raised:
        answer.check_complete()

    assert raised.value.error.reason == "upstream_truncated"


@each(
    ("choices", "is_paid"), [(None, False), ([], False), ([{"message": {"content": "Hi"}}], True)]
)
def test_an_answer_that_was_begun_is_not_to_be_asked_for_again(
    choices: Any, *, is_paid: bool
) -> None:
    with pytest.raises(Fault) as raised:
        parse_answer(orjson.dumps({"error": INNER, "choices": choices}))

    assert raised.value.error.retries_exhausted is is_paid


@each("before", [[], [text("Hi")]])
@each("form", [{"message": "no"}, {"msg": "no"}, {"title": "Bad gateway"}])
def test_a_sentence_behind_which_no_answer_comes_is_an_error(
    form: dict[str, Any], before: list[bytes]
) -> None:
    answer = StreamedAnswer(classifier=Recording())
    for one in (*before, orjson.dumps(form), DONE):
        answer.take(one)

    with pytest.raises(Found) as raised:
        answer.check_complete()

    assert raised.value.args[0] == form


@each("error", [[{"error": INNER}], [FLAT]])
def test_an_error_in_a_list_is_found(error: Any) -> None:
    with pytest.raises(Found):
        parse_answer(orjson.dumps(error), classifier=Recording())

    found_in(text("Hi"), orjson.dumps(error))


@each("name", IN_CHOICES)
def test_an_error_inside_a_choice_is_found(name: str) -> None:
    fields, wanted = IN_CHOICES[name]
    whole = {"index": 0, "message": {"role": "assistant", "content": '{"ev'}, **fields}

    with pytest.raises(Found) as raised:
        parse_answer(orjson.dumps({**HEAD, "choices": [whole]}), classifier=Recording())

    assert raised.value.args[0] == wanted
    assert found_in(text("Hi"), event({"index": 0, "delta": {}, **fields})) == wanted


def test_an_error_inside_a_message_is_found() -> None:
    whole = {"message": {"content": "", "error": INNER}, "finish_reason": "error"}

    with pytest.raises(Found, match="Provider"):
        parse_answer(orjson.dumps({**HEAD, "choices": [whole]}), classifier=Recording())


def test_an_error_inside_any_choice_counts() -> None:
    choices = [*GOOD, {"index": 1, "message": {"content": "H"}, "finish_reason": "error"}]

    with pytest.raises(Fault) as raised:
        parse_answer(orjson.dumps({**HEAD, "choices": choices}))

    error = raised.value.error
    assert (error.status, error.reason, error.retries_exhausted) == (502, "upstream_error", True)


@each("beside", NO_ERRORS)
def test_what_says_that_nothing_went_wrong_is_no_error(beside: dict[str, Any]) -> None:
    completion = parse_answer(orjson.dumps({**HEAD, "choices": GOOD, **beside}))
    first = event(choice({"content": "Hi"}), **beside)
    chunks = [orjson.loads(one) for one in taken([first, ended(), DONE])]

    assert completion.text == "Hi"
    assert "error" not in completion.document
    assert chunks[0]["choices"][0]["delta"]["content"] == "Hi"
    assert "error" not in chunks[0]
    assert collected([first, ended(), DONE]).text == "Hi"


@each("beside", NO_ERRORS)
def test_a_choice_that_nothing_is_wrong_with_is_passed_on(beside: dict[str, Any]) -> None:
    error = {"error": beside["error"]} if "error" in beside else {"error": None}

    [chunk] = taken([event(choice({"content": "Hi"}, finish_reason="stop", **error))])

    assert "error" not in orjson.loads(chunk)["choices"][0]


@each(
    "heartbeat",
    [{"type": "ping"}, {"status": "processing"}, {"message": "queued"}, {"object": "x", "id": "y"}],
)
def test_an_event_that_is_no_answer_yet_is_no_error(heartbeat: dict[str, Any]) -> None:
    events = [orjson.dumps(heartbeat), text("Hi"), ended(), DONE]

    assert collected(events).text == "Hi"


@each("beside", [{"error": None}, {"code": 0}, {"detail": None}])
def test_embeddings_that_nothing_is_wrong_with_are_embeddings(beside: dict[str, Any]) -> None:
    body = orjson.dumps({"data": [{"embedding": [0.5]}], **beside})

    assert parse_answer(body, Operation.EMBEDDINGS).document["data"]


# --- events that are named error ---


@each(
    ("data", "wanted"),
    [
        (b'{"message":"overloaded"}', {"message": "overloaded"}),
        (b'{"error":{"message":"overloaded"}}', {"message": "overloaded"}),
        (b'{"error":"overloaded"}', "overloaded"),
        (b'{"type":"error","error":{"type":"x"}}', {"type": "x"}),
        (b'[{"error":{"code":429}}]', {"code": 429}),
        (b'"overloaded"', "overloaded"),
        (b"overloaded", "overloaded"),
        (b"503", 503),
        (b"{", "{"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
@each("before", [[], [text("Hi")]])
def test_an_event_named_error_is_one_whatever_it_says(
    before: list[bytes], data: bytes, wanted: Any
) -> None:
    assert found_in(*before, ErrorEvent(data)) == wanted


@each("data", [b'{"message":"overloaded"}', b"overloaded", b"503", b""])
def test_an_event_named_error_has_a_meaning_whatever_it_says(data: bytes) -> None:
    with pytest.raises(Fault) as raised:
        taken([text("Hi"), ErrorEvent(data), DONE])

    assert raised.value.error.status >= 400
