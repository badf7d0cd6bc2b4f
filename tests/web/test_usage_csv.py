"""A usage report as a table: RFC 4180, a line for each group and currency, and no formulas."""

import csv
import io

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.storage.records import ended
from tests.web.reports import NOVEMBER, TOKENS, USAGE, Keep, keeper

TIMES = ("latency", "first_token")
FIGURES = ("calls", "p50_ms", "p95_ms", "p99_ms")
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)"]


@pytest.fixture
def keep(app: Flask) -> Keep:
    """Put rows into the store."""
    return keeper(app)


def ask(client: FlaskClient, **arguments: str) -> TestResponse:
    """Ask for a table of November."""
    answer = client.get(USAGE, query_string={**NOVEMBER, "format": "csv", **arguments})
    assert answer.status_code == 200, answer.text
    return answer


def table(client: FlaskClient, **arguments: str) -> list[dict[str, str]]:
    """Read a table by its headings."""
    return list(csv.DictReader(io.StringIO(ask(client, **arguments).text), strict=True))


def test_a_table_says_what_it_is(client: FlaskClient) -> None:
    answer = ask(client)

    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="usage.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_table_without_calls_has_its_headings(client: FlaskClient) -> None:
    answer = ask(client, group_by="model,day")

    kinds = [f"{kind}_{name}" for kind in ("measured", "estimated") for name in TOKENS]
    assert answer.text.removesuffix("\r\n").split(",") == [
        *["model", "day", "calls", "errors", "attempts", "measured_calls", "estimated_calls"],
        *["uncounted_calls", *kinds, "images", "unpriced_calls", "mean_ms"],
        *[f"{time}_{figure}" for time in TIMES for figure in FIGURES],
        *["currency", "cost_micro", "cost", "cost_per_image"],
    ]


def test_keys_are_called_by_their_names_in_the_last_column(client: FlaskClient, keep: Keep) -> None:
    keep(ended("1", key_id="env:=1+1"), ended("2", key_id="key_unknown"))

    found = table(client, group_by="key")

    headings = list(found[0])
    assert (headings[0], headings[-1]) == ("key", "key_name")
    assert [row["key_name"] for row in found] == ["'=1+1", ""]


def test_lines_end_and_quotes_stand_as_in_rfc_4180(client: FlaskClient, keep: Keep) -> None:
    names = ['a "quoted" model', "one, two", "plain", "模型"]
    keep(*[ended(str(number), model=name) for number, name in enumerate(names)])

    answer = ask(client, group_by="model")

    assert answer.text.count("\r\n") == answer.text.count("\n") == len(names) + 1
    assert '"a ""quoted"" model",1' in answer.text
    assert '"one, two",1' in answer.text
    assert sorted(line["model"] for line in table(client, group_by="model")) == sorted(names)


def test_a_table_says_the_same_as_json(client: FlaskClient, keep: Keep) -> None:
    counted = {"cached_tokens": 3, "reasoning_tokens": 1, "images": 2, "total_ms": 100}
    keep(
        ended("1", **counted, first_token_ms=40, cost_micro=12, currency="CNY"),
        ended("2", usage_source="estimated", **counted, status="timeout"),
        ended("3", usage_source="missing", prompt_tokens=None, completion_tokens=None),
    )

    [line] = table(client)
    [group] = client.get(USAGE, query_string=NOVEMBER).json["groups"]

    for name in ("calls", "errors", "attempts", "uncounted_calls", "images", "unpriced_calls"):
        assert line[name] == str(group[name])
    for kind in ("measured", "estimated"):
        assert line[f"{kind}_calls"] == str(group[kind]["calls"]) == "1"
        assert {line[f"{kind}_{name}"] for name in TOKENS} == {"5", "2", "3", "1"}
    assert line["mean_ms"] == str(group["mean_ms"])
    for time in TIMES:
        for figure in FIGURES:
            assert line[f"{time}_{figure}"] == str(group[time][figure])
    assert (line["currency"], line["cost_micro"], line["cost"]) == ("CNY", "12", "0.000012")


def test_a_group_has_a_line_for_each_currency_and_counts_once(
    client: FlaskClient, keep: Keep
) -> None:
    keep(
        ended("1", model="m", currency="USD", cost_micro=5),
        ended("2", model="m", currency="CNY", cost_micro=7),
        ended("3", model="m", currency="CNY", cost_micro=2**40),
        ended("4", model="n"),
    )

    lines = table(client, group_by="model")

    shown = [(line["model"], line["calls"], line["currency"], line["cost_micro"]) for line in lines]
    assert shown == [
        ("m", "3", "CNY", str(2**40 + 7)),
        ("m", "", "USD", "5"),
        ("n", "1", "", ""),
    ]
    counts = [value for name, value in lines[1].items() if name.endswith(("tokens", "calls"))]
    assert set(counts) == {""}


def test_a_table_has_all_groups_whatever_the_page(client: FlaskClient, keep: Keep) -> None:
    keep(*[ended(str(number), model=f"m{number:03}") for number in range(120)])

    lines = table(client, group_by="model", page="2", page_size="5")

    assert len(lines) == 120


def test_no_name_is_a_formula(client: FlaskClient, keep: Keep) -> None:
    keep(*[ended(str(number), model=text) for number, text in enumerate(FORMULAS)])
    keep(ended("tagged", model="plain", tags=",=a,@b,-c,"))

    models = [line["model"] for line in table(client, group_by="model")]
    tags = [line["tag"] for line in table(client, group_by="tag", model="plain")]

    assert sorted(models) == sorted([*(f"'{text}" for text in FORMULAS), "plain"])
    assert sorted(tags) == ["'-c", "'=a", "'@b"]
