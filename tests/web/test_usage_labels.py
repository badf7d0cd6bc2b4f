"""`X-Usage-Tags` and `X-Lineage-Id`: what clients may write on a call, and where it ends up."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import UsageRowsOf
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.openai_calls import post
from tests.web.refusals import (
    CHAT,
    CHATS,
    COMPLETIONS,
    JSON_TYPE,
    MODEL_ROUTES,
    OPTIMIZE,
    POSTS,
    good_body,
)

TAGS, LINEAGE = "X-Usage-Tags", "X-Lineage-Id"
BAD = (400, "VALIDATION_ERROR", "out_of_range", False)
LONG = ",".join(letter * 40 for letter in "abcdefghij")
TAGS_AS_KEPT = {
    "video": ",video,",
    "team=video": ",team=video,",
    "b,a": ",a,b,",
    "b , a,\tc": ",a,b,c,",
    "B,a,A,b": ",A,B,a,b,",
    "a,b,a": ",a,b,",
    "user@x.example/a:b_c-d.e=f": ",user@x.example/a:b_c-d.e=f,",
    LONG: f",{LONG},",
    "": "",
}
WRONG_TAGS = [
    "x" * 41,
    ",".join(f"t{n}" for n in range(11)),
    *[
        "a,,b",
        ",",
        "a,",
        " ",
        "a b",
        "a;b",
        'a"b',
        "a%2Cb",
        "a*",
        "caf\u00e9",
        "\u00e7\u00ba\u00bf",
    ],
    "x" * 5_000,
]
WRONG_LINEAGES = ["x" * 65, "a b", "a,b", "a/b", "a=b", "\u00e7\u00ba\u00bf", "{}", "x" * 5_000]
UpstreamRequest = Callable[..., TestResponse]
Rows = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def ask(client: FlaskClient) -> UpstreamRequest:
    """Post a good body with headers, which must be answered well."""

    def post_with(path: str = CHAT, *, streamed: bool = False, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = good_body(path) | ({"stream": True} if streamed else {})
        answer = client.post(path, json=body, headers=named, buffered=True)
        assert answer.status_code == 200, answer.text
        return answer

    return post_with


@pytest.fixture
def rows(app: Flask, usage_rows_of: UsageRowsOf) -> Rows:
    """Read the usage rows so far."""
    return lambda: usage_rows_of(app)


def test_tags_are_kept_in_one_order_and_once(ask: UpstreamRequest, rows: Rows) -> None:
    for text in TAGS_AS_KEPT:
        ask(X_Usage_Tags=text)

    assert [row["tags"] for row in rows()] == list(TAGS_AS_KEPT.values())


def test_a_call_without_tags_has_none(ask: UpstreamRequest, rows: Rows) -> None:
    ask()

    assert [row["tags"] for row in rows()] == [""]


def test_tags_in_two_headers_are_those_of_one(client: FlaskClient, rows: Rows) -> None:
    headers = [JSON_TYPE, (TAGS, "b"), (TAGS, "a")]

    assert client.post(CHAT, data=b'{"messages":[{"role":"user","content":"x"}]}', headers=headers)

    assert [row["tags"] for row in rows()] == [",a,b,"]


@pytest.mark.parametrize("path", POSTS)
def test_wrong_tags_are_refused(refuse: Refuse, path: str) -> None:
    for text in WRONG_TAGS:
        refusal = refuse(path, good_body(path), JSON_TYPE, (TAGS, text))

        assert (refusal.verdict, refusal.fields) == (BAD, (TAGS,)), text[:50]
        assert refusal.message.startswith(f"{TAGS}: must be at most 10 tags"), text[:50]


@pytest.mark.parametrize("path", CHATS)
def test_a_wrong_lineage_is_refused(refuse: Refuse, path: str) -> None:
    for text in WRONG_LINEAGES:
        refusal = refuse(path, good_body(path), JSON_TYPE, (LINEAGE, text))

        assert (refusal.verdict, refusal.fields) == (BAD, (LINEAGE,)), text[:50]


@pytest.mark.parametrize("name", [TAGS, LINEAGE])
def test_a_stream_with_a_wrong_label_is_refused_before_it_begins(refuse: Refuse, name: str) -> None:
    body = {**good_body(COMPLETIONS), "stream": True}

    refusal = refuse(COMPLETIONS, body, JSON_TYPE, (name, "a b"))

    assert (refusal.verdict, refusal.fields) == (BAD, (name,))


def test_a_lineage_is_kept_as_it_is(ask: UpstreamRequest, rows: Rows) -> None:
    lines = ["shot-7", "a.b:c_d-e", "x" * 64, "req_0123456789"]

    for text in lines:
        ask(X_Lineage_Id=text)

    assert [row["lineage_id"] for row in rows()] == lines


@pytest.mark.parametrize("headers", [{}, {"X_Lineage_Id": ""}], ids=["none", "empty"])
def test_a_call_is_its_own_lineage_where_none_is_told(
    ask: UpstreamRequest, rows: Rows, headers: dict[str, str]
) -> None:
    answer = ask(**headers)

    [row] = rows()
    assert row["lineage_id"] == row["request_id"] == answer.headers["x-request-id"]


def test_calls_that_belong_together_share_a_lineage(ask: UpstreamRequest, rows: Rows) -> None:
    ask(OPTIMIZE, X_Lineage_Id="film-1")
    ask(CHAT, X_Lineage_Id="film-1")

    assert [row["lineage_id"] for row in rows()] == ["film-1"] * 2
    assert len({row["request_id"] for row in rows()}) == 2


@pytest.mark.parametrize("path", POSTS)
def test_labels_reach_the_row_by_every_route(ask: UpstreamRequest, rows: Rows, path: str) -> None:
    ask(path, X_Usage_Tags="b,a", X_Lineage_Id="film-1")

    assert [(row["tags"], row["lineage_id"]) for row in rows()] == [(",a,b,", "film-1")]


@pytest.mark.parametrize("path", MODEL_ROUTES)
def test_a_route_of_v1_has_labels_or_none_like_any_other(
    client: FlaskClient, upstream: ScriptedUpstream, rows: Rows, path: str
) -> None:
    client.environ_base["HTTP_X_USAGE_TAGS"] = "b,a"

    post(client, upstream, path)

    assert [row["tags"] for row in rows()] == [",a,b,"]


def test_a_stream_has_its_labels(ask: UpstreamRequest, rows: Rows) -> None:
    ask(COMPLETIONS, streamed=True, X_Usage_Tags="b,a", X_Lineage_Id="film-1")

    assert [(row["tags"], row["lineage_id"]) for row in rows()] == [(",a,b,", "film-1")]


def test_labels_are_not_told_to_the_upstream(
    ask: UpstreamRequest, upstream: ScriptedUpstream
) -> None:
    ask(X_Usage_Tags="secret-tag", X_Lineage_Id="secret-line")

    [request] = upstream.requests
    assert "secret" not in f"{request.headers}{request.body!r}"


@pytest.mark.parametrize("path", CHATS)
def test_a_replayed_answer_adds_no_row(
    ask: UpstreamRequest, rows: Rows, upstream: ScriptedUpstream, path: str
) -> None:
    first = ask(path, Idempotency_Key="order-1", X_Usage_Tags="a")

    again = ask(path, Idempotency_Key="order-1", X_Usage_Tags="b", X_Lineage_Id="film-1")

    assert again.data == first.data
    assert len(upstream.requests) == 1
    [row] = rows()
    assert (row["request_id"], row["tags"]) == (first.headers["x-request-id"], ",a,")
    assert row["lineage_id"] == row["request_id"]
