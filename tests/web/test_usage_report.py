"""`GET /api/v1/usage`: calls, tokens and cost in groups; nothing is added up that must not be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.storage.records import begun, ended
from tests.support import replies
from tests.support.acting import OPERATOR
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import issue
from tests.web.refusals import CHAT, CHATS, good_body, read_refusal
from tests.web.reports import NOVEMBER, USAGE, Keep, Report, at, calls_by, keeper, reporter

PRICED = {"cost_micro": 300_000, "currency": "CNY"}


@pytest.fixture
def keep(app: Flask) -> Keep:
    """Put rows into the store."""
    return keeper(app)


@pytest.fixture
def report(client: FlaskClient) -> Report:
    """Ask for a report of November."""
    return reporter(client)


@pytest.fixture
def kinds(keep: Keep) -> None:
    """Keep two calls that differ in every dimension, and one like the first."""
    other: dict[str, Any] = {
        "route": "/v1/chat/completions",
        "model": "large",
        "upstream": "judge",
        "key_id": "k2",
        "tags": ",b,",
        "created_at": at(3, 4),
    }
    keep(
        ended("1", key_id="k1", tags=",a,", reason="model_replaced", created_at=at(2, 12)),
        ended("2", key_id="k1", tags=",a,", reason="model_replaced", created_at=at(2, 12, 59)),
        ended("3", status="timeout", reason="upstream_timeout", **other),
    )


def test_keys_have_their_names_also_when_they_are_deleted(
    app: Flask, keep: Keep, report: Report
) -> None:
    kept, gone = issue(app, "kept").key.id, issue(app, "gone").key.id
    for number, key_id in enumerate([kept, gone, "env:ci", "key_unknown", None]):
        keep(ended(str(number), key_id=key_id, created_at=at(2)))
    app.extensions["llm_api"].keys.delete(gone, OPERATOR)

    groups = report(group_by="key,model")["groups"]

    names = {group["key"]: group["key_name"] for group in groups}
    assert names == {
        kept: "kept", gone: "gone (deleted)", "env:ci": "ci", "key_unknown": "", "": ""
    }  # fmt: skip
    assert "key_name" not in report(group_by="model")["groups"][0]
    asked = [report(key=name)["groups"] for name in ("kept", "gone", "env:ci")]
    assert [groups[0]["calls"] for groups in asked] == [1] * 3
    assert report(key="nobody", group_by="key")["groups"] == []


def test_a_name_that_several_keys_have_is_no_filter(app: Flask, client: FlaskClient) -> None:
    ids = [issue(app).key.id for _ in range(2)]

    refused = read_refusal(USAGE, *sent(client, key="shop"))
    app.extensions["llm_api"].keys.delete(ids[0], OPERATOR)

    assert (refused.status, refused.reason) == (400, "key_name_ambiguous")
    assert sent(client, key="shop")[0] == 200


def sent(client: FlaskClient, **arguments: str) -> tuple[int, Any, bytes]:
    """Ask for a report that may be refused."""
    answer = client.get(USAGE, query_string={**NOVEMBER, **arguments})
    return answer.status_code, answer.headers, answer.data


def test_no_calls_are_no_groups(report: Report) -> None:
    document = report()

    assert (document["groups"], document["total"], document["page"]) == ([], 0, 1)
    assert (document["since"], document["until"]) == (
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    )


def test_a_group_has_all_that_its_calls_come_to(keep: Keep, report: Report) -> None:
    counted = {"cached_tokens": 3, "reasoning_tokens": 1, "images": 2, "total_ms": 100}
    keep(
        ended("1", **counted, **PRICED),
        ended("2", **counted | {"total_ms": 201}, **PRICED, status="timeout", attempts=3),
    )

    tokens = {"prompt_tokens": 10, "completion_tokens": 4, "cached_tokens": 6}
    nothing = {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "cached_tokens": 0}
    assert report()["groups"] == [
        {
            "calls": 2,
            "errors": 1,
            "attempts": 4,
            "measured": {"calls": 2, **tokens, "reasoning_tokens": 2},
            "estimated": {**nothing, "reasoning_tokens": 0},
            "uncounted_calls": 0,
            "images": 4,
            "cost": [{"currency": "CNY", "micro": 600_000, "amount": "0.600000"}],
            "unpriced_calls": 0,
            "mean_ms": 150,
            "latency": {"calls": 2, "p50_ms": 103, "p95_ms": 206, "p99_ms": 206},
            "first_token": {"calls": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None},
        }
    ]


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("key", "k1", "k2"),
        ("route", "/api/v1/llm/chat", "/v1/chat/completions"),
        ("model", "scripted", "large"),
        ("upstream", "fast", "judge"),
        ("tag", "a", "b"),
        ("status", "ok", "timeout"),
        ("reason", "model_replaced", "upstream_timeout"),
        ("hour", "2026-11-02T12:00:00Z", "2026-11-03T04:00:00Z"),
        ("day", "2026-11-02", "2026-11-03"),
    ],
)
def test_calls_are_grouped_and_filtered_by_each_dimension(
    report: Report, name: str, first: str, second: str
) -> None:
    assert calls_by(report(group_by=name), name) == {first: 2, second: 1}
    if name not in {"hour", "day"}:
        assert calls_by(report(group_by=name, **{name: first}), name) == {first: 2}
        assert calls_by(report(group_by="day", **{name: second}), "day") == {"2026-11-03": 1}
        assert report(**{name: "nobody"})["groups"] == []


@pytest.mark.usefixtures("kinds")
def test_calls_are_grouped_by_several_dimensions_in_the_order_asked_for(report: Report) -> None:
    document = report(group_by="status, day,key")

    assert document["group_by"] == ["status", "day", "key"]
    assert [list(group)[:3] for group in document["groups"]] == [["status", "day", "key"]] * 2
    assert calls_by(document, "status", "day", "key") == {
        ("ok", "2026-11-02", "k1"): 2,
        ("timeout", "2026-11-03", "k2"): 1,
    }


@pytest.mark.usefixtures("kinds")
def test_filters_must_all_fit(report: Report) -> None:
    assert [group["calls"] for group in report(model="scripted", status="ok")["groups"]] == [2]
    assert report(model="scripted", status="timeout")["groups"] == []


def test_groups_come_in_the_order_of_their_dimensions(keep: Keep, report: Report) -> None:
    keep(*[ended(str(number), model=name) for number, name in enumerate(["b", "c", "a", "B"])])

    assert list(calls_by(report(group_by="model"), "model")) == ["B", "a", "b", "c"]


def test_a_call_with_two_tags_counts_in_the_groups_of_both(keep: Keep, report: Report) -> None:
    keep(ended("1", tags=",a,b,"), ended("2", tags=",b,"), ended("3"))

    assert calls_by(report(group_by="tag"), "tag") == {"": 1, "a": 1, "b": 2}
    assert [group["calls"] for group in report()["groups"]] == [3]


def test_a_tag_is_found_whole(keep: Keep, report: Report) -> None:
    tags = [",a,", ",ab,", ",a_b,", ",axb,", ",b,team=a,", ",team=a.b,"]
    keep(*[ended(str(number), tags=text) for number, text in enumerate(tags)])

    found = {name: report(tag=name)["groups"] for name in ("a", "a_b", "team=a", "team", "%", "_")}

    assert {name: sum(g["calls"] for g in groups) for name, groups in found.items()} == {
        "a": 1,
        "a_b": 1,
        "team=a": 1,
        "team": 0,
        "%": 0,
        "_": 0,
    }


def test_a_filter_tells_upper_from_lower_case(keep: Keep, report: Report) -> None:
    keep(ended("1", tags=",Team,", model="M"), ended("2", tags=",team,", model="m"))

    assert [group["calls"] for group in report(model="m")["groups"]] == [1]
    assert [group["calls"] for group in report(tag="team")["groups"]] == [1]


def test_measured_and_estimated_tokens_are_never_one_number(keep: Keep, report: Report) -> None:
    keep(
        ended("1", prompt_tokens=1, completion_tokens=10),
        ended("2", prompt_tokens=100, completion_tokens=1_000, usage_source="estimated"),
    )

    [group] = report()["groups"]

    assert (group["calls"], group["uncounted_calls"]) == (2, 0)
    assert [group[kind]["calls"] for kind in ("measured", "estimated")] == [1, 1]
    assert [group[kind]["prompt_tokens"] for kind in ("measured", "estimated")] == [1, 100]
    assert [group[kind]["completion_tokens"] for kind in ("measured", "estimated")] == [10, 1_000]


def test_calls_without_a_count_are_told_apart(keep: Keep, report: Report) -> None:
    unknown = {"prompt_tokens": None, "completion_tokens": None}
    keep(
        ended("1"),
        ended("2", **unknown, usage_source="missing"),
        ended("3", **unknown, usage_source="invalid"),
        begun("4"),
    )

    [group] = report()["groups"]

    assert (group["calls"], group["uncounted_calls"], group["errors"]) == (4, 3, 1)
    assert group["measured"]["prompt_tokens"] == 5


def test_costs_are_exact_and_apart_by_currency(keep: Keep, report: Report) -> None:
    costs = [("CNY", 1), ("CNY", 2**53), ("USD", 999_999), ("USD", 2), (None, None)]
    keep(
        *[
            ended(str(number), currency=currency, cost_micro=cost)
            for number, (currency, cost) in enumerate(costs)
        ]
    )

    [group] = report()["groups"]

    assert group["cost"] == [
        {"currency": "CNY", "micro": 2**53 + 1, "amount": "9007199254.740993"},
        {"currency": "USD", "micro": 1_000_001, "amount": "1.000001"},
    ]
    assert (group["calls"], group["unpriced_calls"]) == (5, 1)


def test_models_have_the_cost_of_an_image(keep: Keep, report: Report) -> None:
    keep(
        ended("1", model="painter", images=3, cost_micro=750_000, currency="CNY"),
        ended("2", model="writer", cost_micro=5, currency="CNY"),
        ended("3", model="unsure", images=1, cost_micro=5, currency="CNY"),
        ended("4", model="unsure", images=1),
    )

    costs = {group["model"]: group["cost"] for group in report(group_by="model")["groups"]}

    assert costs["painter"][0]["per_image"] == "0.250000"
    assert "per_image" not in costs["writer"][0]
    assert costs["unsure"][0]["per_image"] == "0.000005"


def test_a_call_that_cost_nothing_is_not_one_of_unknown_cost(keep: Keep, report: Report) -> None:
    keep(ended("1", cost_micro=0, currency="CNY"))

    [group] = report()["groups"]

    assert group["cost"] == [{"currency": "CNY", "micro": 0, "amount": "0.000000"}]
    assert group["unpriced_calls"] == 0


def test_groups_come_in_pages(keep: Keep, report: Report) -> None:
    models = [f"m{number}" for number in range(5)]
    keep(*[ended(name, model=name) for name in models])

    for page, size in [(1, 2), (2, 2), (3, 2), (4, 2), (1, 5), (1_000_000, 10_000)]:
        document = report(group_by="model", page=str(page), page_size=str(size))

        assert list(calls_by(document, "model")) == models[(page - 1) * size : page * size]
        assert (document["total"], document["page"], document["page_size"]) == (5, page, size)


def test_a_page_has_a_hundred_groups_unless_it_is_said(keep: Keep, report: Report) -> None:
    keep(*[ended(str(number), model=f"m{number:03}") for number in range(101)])

    document = report(group_by="model")

    assert (len(document["groups"]), document["total"]) == (100, 101)


def test_a_report_holds_the_calls_made_here(
    client: FlaskClient, app: Flask, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion(), replies.api_error(400, "x"))
    body = {"messages": [{"role": "user", "content": "a canary in the prompt"}]}
    for path in CHATS:
        client.post(path, json=good_body(path) | body, headers={"X-Usage-Tags": "mine"})
    app.extensions["llm_api_spool"].flush()

    answer = client.get(USAGE, query_string={"group_by": "route,status,tag,model"})

    assert [group["calls"] for group in answer.json["groups"]] == [1, 1]
    assert {group["route"] for group in answer.json["groups"]} == set(CHATS)
    assert {group["tag"] for group in answer.json["groups"]} == {"mine"}
    assert "canary" not in answer.text


def test_the_span_is_thirty_days_with_today(keep: Keep, client: FlaskClient) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=29)
    keep(
        ended("1", created_at=datetime.now(UTC)),
        ended("2", created_at=first),
        ended("3", created_at=first - timedelta(microseconds=1)),
    )

    document = client.get(USAGE).json

    if datetime.now(UTC).date() == today.date():  # else midnight came in between
        assert document["since"] == first.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert [group["calls"] for group in document["groups"]] == [2]


def test_a_head_request_has_the_headers_alone(client: FlaskClient) -> None:
    answer = client.head(USAGE, query_string=NOVEMBER)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.content_type == "application/json"


def test_a_report_is_no_call(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    client.get(USAGE)

    assert client.get(USAGE).json["groups"] == []
    assert upstream.requests == []
    assert client.post(CHAT, json=good_body(CHAT)).status_code == 200
