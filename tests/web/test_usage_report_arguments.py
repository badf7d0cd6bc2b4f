"""What a usage report may be asked for; what is wrong is named, and no fault of ours."""

import json
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from tests.conftest import AppOf
from tests.storage.records import ended
from tests.support.ports import closed_port
from tests.web.refusals import Refusal, read_refusal
from tests.web.reports import NOVEMBER, USAGE, Report, at, calls_by, keeper, reporter

VERDICT = (400, "VALIDATION_ERROR", "out_of_range", False)
UNAVAILABLE = (503, "SERVICE_ERROR", "store_unavailable", True)


@pytest.fixture
def report(client: FlaskClient) -> Report:
    """Ask for a report of November."""
    return reporter(client)


def refused(client: FlaskClient, query: object) -> Refusal:
    """Ask for a report, and return the error that must come."""
    answer = client.get(USAGE, query_string=query)  # type: ignore[arg-type]  # whatever fits
    return read_refusal(USAGE, answer.status_code, answer.headers, answer.data)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "since",
            [
                *["yesterday", "2026-02-30", "2026", "1e3", "2026-11-01T24:00:00.5Z", "\0"],
                *["2026-11-01T15:30:00Z", "2026-11-01T15:00:01Z", "2026-11-01T15:00:00.5Z"],
                *["2026-11-01T15:00:00+05:30", "0001-01-01T00:00:00+02:00", "x" * 9_000],
            ],
        ),
        ("until", ["tomorrow", "2026-11-01T15:30", "2026-11-01 15:00:00 02:00", "1700000000"]),
        ("group_by", ["team", "model,model", "hour,day", "model,,model", "MODEL", "model;day"]),
        ("page", ["0", "-1", "1.0", "one", "1000001", "9" * 5_000, "\uff11", " 1", "1e1"]),
        ("page_size", ["0", "10001", "-5", "all"]),
        ("format", ["xml", "JSON", "text/csv", "csv,json"]),
    ],
)
def test_a_wrong_argument_is_named(client: FlaskClient, name: str, values: list[str]) -> None:
    for value in values:
        refusal = refused(client, {name: value})

        assert (refusal.verdict, refusal.fields) == (VERDICT, (name,)), value[:50]
        assert refusal.message.startswith(f"{name}: must be "), value[:50]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-02", "2026-11-02"),
        ("2026-11-03", "2026-11-02"),
        ("2026-11-02T12:00:00Z", "2026-11-02T13:00:00+01:00"),
        ("2024-01-01", "2026-11-02"),
        ("9999-12-31", ""),
    ],
    ids=["equal", "turned round", "equal in UTC", "too long", "in the future"],
)
def test_a_span_must_have_an_hour_and_not_too_many(
    client: FlaskClient, since: str, until: str
) -> None:
    refusal = refused(client, {"since": since, "until": until})

    assert (refusal.verdict, refusal.fields) == (VERDICT, ("since",))


@pytest.mark.parametrize(
    "query",
    [
        {"until": "0001-01-01"},
        {"until": "0001-01-02"},
        {"since": "0001-01-01"},
        {"since": "9998-01-01", "until": "9999-01-01"},
        {"since": "9999-12-31", "until": "9999-12-31T23:00:00Z"},
    ],
    ids=lambda query: ", ".join(f"{name} {day}" for name, day in query.items()),
)
def test_the_ends_of_the_calendar_are_no_fault_of_ours(
    client: FlaskClient, query: dict[str, str]
) -> None:
    answer = client.get(USAGE, query_string=query)

    assert answer.status_code in {200, 400}, answer.text


def test_a_parameter_nobody_knows_is_named(client: FlaskClient) -> None:
    refusal = refused(client, {"modle": "x"})

    assert (refusal.status, refusal.reason, refusal.fields) == (400, "unknown_field", ("modle",))


def test_a_name_of_no_end_is_cut(client: FlaskClient) -> None:
    refusal = refused(client, {"\x1b[31m" + "x" * 5_000: "1"})

    assert refusal.status == 400
    assert len(refusal.fields[0]) <= 64
    assert refusal.message.isprintable()


@pytest.mark.parametrize(
    "name", ["since", "until", "group_by", "model", "tag", "page", "page_size", "format"]
)
def test_an_argument_given_twice_is_named(client: FlaskClient, name: str) -> None:
    good = {"since": "2026-11-01", "until": "2026-12-01", "format": "json"}
    value = good.get(name, "1" if "page" in name else "model")

    refusal = refused(client, [(name, value), (name, value)])

    assert (refusal.verdict, refusal.fields) == (VERDICT, (name,))


def test_all_wrong_arguments_are_named_at_once(client: FlaskClient) -> None:
    wrong = {"since": "x", "group_by": "x", "page": "x", "page_size": "x", "format": "x"}

    assert set(refused(client, wrong).fields) == set(wrong)


@pytest.mark.parametrize("name", ["model", "key", "tag", "status", "route", "upstream", "reason"])
def test_a_filter_that_no_name_can_be_is_refused(client: FlaskClient, name: str) -> None:
    # PostgreSQL takes no NUL, and would be unavailable.
    assert refused(client, {name: "a\0b"}).fields == (name,)


def test_an_empty_argument_counts_as_left_out(client: FlaskClient) -> None:
    names = ("since", "until", "group_by", "model", "page", "page_size", "format")

    empty = client.get(USAGE, query_string=dict.fromkeys(names, ""))

    assert empty.status_code == 200
    assert empty.json == client.get(USAGE).json


@pytest.mark.parametrize(
    ("since", "until", "calls"),
    [
        ("2026-11-02", "2026-11-03", 4),
        ("2026-11-02T12:00:00Z", "2026-11-02T13:00:00Z", 2),
        ("2026-11-02T12", "2026-11-02T13", 2),
        ("2026-11-02T20:00:00+08:00", "2026-11-02T13:00:00Z", 2),
        ("2026-11-02T13:00:00Z", "2026-11-03T00:00:00Z", 1),
        ("2026-11-02", "2026-11-02T12:00:00Z", 1),
        ("2026-11-02T00:00:00", "2026-11-03T00:00:00Z", 4),
        ("2026-11-01", "2026-11-02", 1),
        ("2026-11-03", "2026-11-04", 1),
    ],
)
def test_a_span_has_its_beginning_and_not_its_end(
    app: Flask, report: Report, since: str, until: str, calls: int
) -> None:
    almost = at(2) - timedelta(microseconds=1)
    last_of = at(2, 23, 59, second=59, microsecond=999_999)
    moments = [
        at(2, 0) - timedelta(microseconds=1),
        almost,
        at(2),
        at(2, 12, 59),
        last_of,
        at(3, 0),
    ]
    keeper(app)(*[ended(str(n), created_at=moment) for n, moment in enumerate(moments)])

    [group] = report(since=since, until=until)["groups"]

    assert group["calls"] == calls


def test_days_and_hours_come_to_the_same(app: Flask, report: Report) -> None:
    moments = [at(day, hour) for day in (2, 3, 4) for hour in range(0, 24, 5)]
    keeper(app)(*[ended(str(n), created_at=moment) for n, moment in enumerate(moments)])

    by_day = calls_by(report(group_by="day"), "day")
    by_hour = calls_by(report(group_by="hour"), "hour")

    assert by_day == {"2026-11-02": 5, "2026-11-03": 5, "2026-11-04": 5}
    assert {datetime.fromisoformat(hour) for hour in by_hour} == set(moments)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_store_that_is_away_is_told(
    app_of: AppOf, upstream_env: dict[str, str], form: str
) -> None:
    app = app_of(upstream_env)
    engine = create_engine(app.config["DATABASE_OF_THE_TEST"])
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE usage_daily"))
    engine.dispose()

    answer = app.test_client().get(USAGE, query_string={**NOVEMBER, "format": form})

    refusal = read_refusal(USAGE, answer.status_code, answer.headers, answer.data)
    assert refusal.verdict == UNAVAILABLE
    assert answer.headers["Retry-After"] == "5"


def test_a_database_that_is_gone_is_told_without_its_address(
    app: Flask, client: FlaskClient
) -> None:
    store = app.extensions["llm_api_spool"]._store
    with closed_port() as port:
        engine, store.engine = (
            store.engine,
            create_engine(f"postgresql+psycopg://who:hunter2@127.0.0.1:{port}/rows"),
        )
        answer = client.get(USAGE)
        store.engine = engine

    refusal = read_refusal(USAGE, answer.status_code, answer.headers, answer.data)
    assert refusal.verdict == UNAVAILABLE
    assert not [word for word in ("hunter2", "who", str(port)) if word in answer.text]
    assert client.get(USAGE).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_another_method_is_refused(client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)(USAGE)

    refusal = read_refusal(USAGE, answer.status_code, answer.headers, answer.data)
    assert refusal.verdict == (405, "VALIDATION_ERROR", "method_not_allowed", False)
    assert "GET" in answer.headers["Allow"]


def test_the_document_lists_the_parameters(client: FlaskClient) -> None:
    described = json.loads(client.get("/openapi.json").data)["paths"][USAGE]["get"]

    parameters = {one["name"]: one["schema"] for one in described["parameters"]}
    dimensions = {"key", "group", "route", "model", "upstream", "tag", "status", "reason"}
    others = {"since", "until", "group_by", "page", "page_size", "format"}
    assert set(parameters) == dimensions | others
    assert all(one["in"] == "query" and one["description"] for one in described["parameters"])
    assert parameters["format"]["enum"] == ["json", "csv"]
    assert parameters["page_size"]["maximum"] == 10_000
    assert {"200", "default"} <= set(described["responses"])


def test_an_unknown_name_comes_first(client: FlaskClient) -> None:
    error = client.get("/api/v1/usage?since=x&limit=-1").json["error"]

    assert error["details"]["reason"] == "unknown_field"
    assert [wrong["field"] for wrong in error["details"]["errors"]] == ["limit", "since"]
