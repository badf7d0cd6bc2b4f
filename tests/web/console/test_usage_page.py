"""`/console/usage`: what it shows is what the API answers, to the last digit."""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.domain.usage import UsageRecord
from llm_api.web.console.figures import SHOWN
from llm_api.web.console.usage_arguments import BY
from tests.storage.records import ended
from tests.support.tables import each
from tests.web.console.page_tables import PageTables
from tests.web.console.signed_in import problem_in
from tests.web.reports import NOVEMBER, USAGE, at, keeper

PAGE = "/console/usage"
PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")


def some_calls(number: int) -> list[UsageRecord]:
    """Make calls that differ in everything, of November."""
    chance = random.Random(66)  # noqa: S311  # the same calls at every run
    return [
        ended(
            f"req_{one:04}",
            created_at=at(2) + timedelta(minutes=chance.randrange(20 * 24 * 60)),
            model=chance.choice(["a", "b", "c<script>", "模型"]),
            key_id=chance.choice(["env:shop", "env:ci", None]),
            upstream=chance.choice(["fast", "judge"]),
            tags=chance.choice(["", ",x=1,", ",x=1,y,"]),
            status=status,
            reason=None if status == "ok" else chance.choice(["upstream_timeout", "busy"]),
            prompt_tokens=chance.randrange(10**7),
            completion_tokens=chance.randrange(10**6),
            total_ms=chance.randrange(90_000),
            first_token_ms=chance.choice([None, chance.randrange(9_000)]),
            images=chance.randrange(3),
            cost_micro=chance.choice([None, chance.randrange(10**11)]),
            currency=chance.choice(["CNY", "USD"]),
            usage_source=chance.choice(["upstream", "upstream", "estimated"]),
        )
        for one in range(number)
        for status in [chance.choice(["ok", "ok", "ok", "timeout", "upstream_error"])]
    ]


@pytest.fixture(scope="module")
def filled(module_app: Flask) -> FlaskClient:
    """Keep calls, and ask about them."""
    known = [
        call if call.cost_micro is not None else ended(call.request_id, created_at=call.created_at)
        for call in some_calls(400)
    ]
    keeper(module_app)(*known)
    return module_app.test_client()


def read(client: FlaskClient, **arguments: str) -> PageTables:
    """Read the page of November."""
    answer = client.get(PAGE, query_string={**NOVEMBER, **arguments})
    assert answer.status_code == 200, answer.text
    return PageTables(answer.text)


def groups(client: FlaskClient, *group_by: str, **filters: str) -> list[dict[str, Any]]:
    """Ask the API about the same calls."""
    asked = {**NOVEMBER, "group_by": ",".join(group_by), "page_size": "10000", **filters}
    found: list[dict[str, Any]] = client.get(USAGE, query_string=asked).json["groups"]
    return found


def text(number: int | None) -> str:
    """Write a number as the page does."""
    return "–" if number is None else f"{number:,}"


def costs(group: Mapping[str, Any]) -> str:
    """Write the costs of a group as the page does."""
    return " + ".join(f"{cost['amount']} {cost['currency']}" for cost in group["cost"]) or "–"


def numbers(group: Mapping[str, Any]) -> list[str]:
    """Write what the page's row of a group says."""
    tokens = [group["measured"][f"{kind}_tokens"] for kind in ("prompt", "completion")]
    counts = [group["calls"], group["errors"], *tokens, group["images"]]
    times = [group[name][one] for name in ("latency", "first_token") for one in PERCENTILES]
    return [*map(text, counts), costs(group), *map(text, times)]


@each("by", BY)
def test_the_rows_of_groups_are_those_of_the_api(by: str, filled: FlaskClient) -> None:
    shown = read(filled, by=by).body("groups", headings=2)

    expected = groups(filled, by)
    assert sorted(row[1:] for row in shown) == sorted(numbers(group) for group in expected)
    calls = [int(row[1].replace(",", "")) for row in shown]
    assert calls == sorted(calls, reverse=True)


@each(
    "filters",
    [{}, {"model": "a"}, {"tag": "x=1"}, {"key": "env:ci", "status": "ok"}, {"reason": "busy"}],
)
def test_totals_and_steps_of_time_are_those_of_the_api(
    filters: dict[str, str], filled: FlaskClient
) -> None:
    page = read(filled, **filters)

    [total] = groups(filled, **filters)
    by_day = {group["day"]: group for group in groups(filled, "day", **filters)}
    assert page.totals["calls"] == text(total["calls"])
    assert page.totals["prompt_tokens"] == text(total["measured"]["prompt_tokens"])
    assert page.totals["latency"] == f"{text(total['latency']['p95_ms'])} ms"
    steps = page.body("figure-calls")
    assert len(steps) == 30
    assert {row[0]: row[1:] for row in steps if row[1] != "0"} == {
        day: [text(group["calls"]), text(group["errors"])] for day, group in by_day.items()
    }
    for figure, name in (("figure-latency", "latency"), ("figure-first_token", "first_token")):
        rows = {row[0]: row[1:] for row in page.body(figure)}
        for day, group in by_day.items():
            assert rows.get(day, ["–"] * 3) == [text(group[name][one]) for one in PERCENTILES]
    money = {row[0]: row[1:] for row in page.body("figure-cost")}
    for day, group in by_day.items():
        amounts = [cost["amount"] for cost in group["cost"]]
        assert [one for one in money.get(day, []) if one != "0.000000"] == amounts


@each("shown", SHOWN)
def test_what_is_compared_is_what_the_api_says_of_groups_over_time(
    shown: str, filled: FlaskClient
) -> None:
    page = read(filled, by="upstream", show=shown)

    table = page.tables["comparison"]
    parts = {
        (group["day"], group["upstream"]): group for group in groups(filled, "day", "upstream")
    }
    for row in table[1:]:
        for heading, cell in zip(table[0][1:], row[1:], strict=True):
            assert cell == expected_cell(
                parts.get((row[0], heading.split(" (")[0])), shown, heading
            )


def expected_cell(group: Mapping[str, Any] | None, shown: str, heading: str) -> str:
    """Write what the comparison says of a group on a day."""
    if shown == "cost":
        found = {cost["currency"]: cost["amount"] for cost in (group or {"cost": ()})["cost"]}
        return str(found.get(heading[-4:-1], "0.000000"))
    if shown.endswith("_ms"):
        time, _, figure = shown.rpartition("_p")
        return text(None if group is None else group[time][f"p{figure}"])
    if shown in {"prompt_tokens", "completion_tokens"}:
        return text(0 if group is None else group["measured"][shown])
    return text(0 if group is None else group[shown])


def test_what_went_wrong_is_told_by_its_reason(filled: FlaskClient) -> None:
    shown = read(filled).body("errors")

    failed = [one for one in groups(filled, "status", "reason") if one["status"] != "ok"]
    assert sorted(shown) == sorted(
        [one["status"], one["reason"] or "(none)", text(one["calls"])] for one in failed
    )


def test_links_keep_the_view(filled: FlaskClient) -> None:
    wanted = {"by": "key", "show": "errors", "model": "a", "tag": "x=1"}
    links = read(filled, **wanted).links

    pages = [dict(parse_qsl(urlsplit(one).query)) for one in links if one.startswith(f"{PAGE}?")]
    narrowed = [view for view in pages if "key" in view]
    assert {view["key"] for view in narrowed} == {"env:shop", "env:ci"}
    assert all(wanted.items() <= view.items() for view in narrowed)
    assert any(view.get("days") == "7" and wanted.items() <= view.items() for view in pages)
    assert any("model" not in view and view.get("tag") == "x=1" for view in pages)
    tables = [one for one in links if "format=csv" in one]
    assert tables
    answer = filled.get(tables[0])
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert "model=a" in tables[0]


def test_short_spans_are_shown_by_the_hour(filled: FlaskClient) -> None:
    steps = read(filled, since="2026-11-03", until="2026-11-05").body("figure-calls")

    assert (len(steps), steps[0][0], steps[-1][0]) == (48, "11-03 00:00", "11-04 23:00")


def test_names_that_callers_chose_are_texts(filled: FlaskClient) -> None:
    html = filled.get(PAGE, query_string=NOVEMBER).text

    assert "c&lt;script&gt;" in html
    assert "c<script>" not in html


@each(
    ("arguments", "said"),
    [
        ({"days": "8"}, "days must be one of 1, 7, 30, 90, 365."),
        ({"by": "colour"}, "by must be one of model, key,"),
        ({"since": "yesterday"}, "since must be a day such as"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "since must be before until"),
        ({"modle": "a"}, "modle is not a known field."),
    ],
)
def test_a_wrong_address_is_told_what_is_wrong_in_it(
    arguments: dict[str, str], said: str, module_app: Flask
) -> None:
    answer = module_app.test_client().get(PAGE, query_string=arguments)

    assert answer.status_code == 400
    assert problem_in(answer).startswith(said)


def test_a_span_without_calls_says_what_to_do(module_app: Flask) -> None:
    page = module_app.test_client().get(
        PAGE, query_string={"since": "2020-01-01", "until": "2020-02-01"}
    )

    assert page.status_code == 200
    assert "No calls in this span" in page.text
    assert "/console/chat" in page.text
