"""`GET /api/v1/reports` and `flask lineage report`, on lineages that were counted by hand."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from llm_api.domain.lineage import LineageEvent
from llm_api.services.lineage.intervals import Share, difference
from llm_api.services.lineage.lineage_reports import PAGE
from tests.web.keyed import ADMIN, CLOSED, bearer, issue
from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import Asker

REPORTS = "/api/v1/reports"
NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Case:
    """A lineage: a rewrite, jobs of two pictures each, a verdict, and feedback on the jobs."""

    outcomes: tuple[str, ...]
    arm: str = "rewrite"
    target: str = "seedream"
    version: str = "v1"
    share: float = 0.5
    passed: bool | None = None
    jobs: tuple[tuple[str, int | None, str | None], ...] = (("painter", 200_000, "CNY"),)
    at: datetime = NOW


class Drawn:
    """A data set: lineages that a test makes up, and puts into an application's store."""

    def __init__(self, key_id: str | None = None) -> None:
        """Make none yet; all are of a key."""
        self.events: list[LineageEvent] = []
        self._key_id = key_id
        self._count = 0

    def lineage(self, outcomes: tuple[str, ...] = (), **options: Any) -> None:
        """Make a lineage."""
        self._count += 1
        case, name = Case(outcomes, **options), f"{self._key_id}:{self._count:05}"
        drawn = {"arm": case.arm, "control_share": case.share}
        about = {"target_model": case.target, "type": "image"}
        version = case.version if case.arm == "rewrite" else ""
        self._add(name, "rewrite", case.at, {**drawn, **about, "template_version": version})
        for model, micro, currency in case.jobs:
            facts = {"model": model, "n": 2, "cost_micro": micro, "currency": currency}
            self._add(name, "pictures", case.at + MINUTE, facts, job=f"{name}:{model}")
        if case.passed is not None:
            facts = {"passed": case.passed, "model": "seer"}
            self._add(name, "verdict", case.at + 2 * MINUTE, facts)
        for number, outcome in enumerate(outcomes):
            job = f"{name}:{case.jobs[number % len(case.jobs)][0]}"
            facts = {"outcome": outcome, "picture_id": f"file_{name}_{number}"}
            self._add(name, "feedback", case.at + 3 * MINUTE, facts, job=job)

    def _add(
        self, name: str, kind: str, at: datetime, facts: dict[str, Any], job: str | None = None
    ) -> None:
        event_id = f"ev_{self._key_id}_{len(self.events)}"
        self.events.append(
            LineageEvent(name, kind, self._key_id, at, facts, id=event_id, job_id=job)
        )

    def put_into(self, app: Flask) -> None:
        """Store all of them."""
        store = app.extensions["llm_api"].lineage._store
        for start in range(0, len(self.events), 200):
            store.add(self.events[start : start + 200])


@pytest.fixture
def drawn() -> Drawn:
    """Make a data set."""
    return Drawn()


def report_of(asker: Asker, headers: dict[str, str] | None = None, **query: str) -> dict[str, Any]:
    """Ask for a report."""
    answer = asker.client.get(REPORTS, query_string=query, headers=headers)
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = json.loads(answer.data)
    return found


def test_there_is_nothing_to_report_at_first(asker: Asker) -> None:
    found = report_of(asker)

    assert (found["judged_by"], found["confidence"]) == ("any", 0.95)
    assert found["rewrites"] == found["comparisons"] == found["models"] == []


def test_the_win_rate_is_by_template_and_target(asker: Asker, drawn: Drawn) -> None:
    for outcome in ("accepted", "accepted", "rejected", "edited"):
        drawn.lineage((outcome,), version="v1")
    for outcome in ("accepted", "rejected"):
        drawn.lineage((outcome,), version="v2")
    drawn.lineage((), version="v2")
    drawn.lineage(("accepted",), version="v2", target="wan")
    drawn.lineage(("accepted",), arm="control")
    drawn.put_into(asker.app)

    groups = {
        (one["template_version"], one["target_model"]): one for one in report_of(asker)["rewrites"]
    }

    counts = {
        name: (one["lineages"], one["judged"], one["accepted"], one["rate"])
        for name, one in groups.items()
    }
    assert counts == {
        ("v1", "seedream"): (4, 4, 2, 0.5),
        ("v2", "seedream"): (3, 2, 1, 0.5),
        ("v2", "wan"): (1, 1, 1, 1.0),
    }
    interval = Share(2, 4).interval
    first = groups["v1", "seedream"]
    assert (first["low"], first["high"]) == (round(interval.low, 4), round(interval.high, 4))


def test_a_lineage_is_one_case_and_accepted_if_any_picture_is(asker: Asker, drawn: Drawn) -> None:
    drawn.lineage(("rejected", "accepted", "rejected"))
    drawn.lineage(("rejected", "rejected"))
    drawn.put_into(asker.app)

    group = report_of(asker)["rewrites"][0]

    assert (group["judged"], group["accepted"]) == (2, 1)


def test_it_is_said_where_rewriting_helps_and_where_it_hurts(asker: Asker, drawn: Drawn) -> None:
    rates = {"seedream": (48, 12), "wan": (12, 48), "flux": (30, 30)}  # accepted of 60
    for target, by_arm in rates.items():
        for arm, accepted in zip(("rewrite", "control"), by_arm, strict=True):
            for number in range(60):
                outcome = "accepted" if number < accepted else "rejected"
                drawn.lineage((outcome,), arm=arm, target=target)
    drawn.put_into(asker.app)

    found = {one["target_model"]: one for one in report_of(asker)["comparisons"]}

    assert {target: one["rewriting"] for target, one in found.items()} == {
        "seedream": "helps",
        "wan": "hurts",
        "flux": "unclear",
    }
    gap = difference(Share(48, 60), Share(12, 60))
    seedream = found["seedream"]
    assert (seedream["difference"], seedream["low"], seedream["high"]) == (
        0.6,
        round(gap.low, 4),
        round(gap.high, 4),
    )
    assert (seedream["rewrite"]["accepted"], seedream["control"]["accepted"]) == (48, 12)


def test_lineages_that_were_not_drawn_for_an_arm_are_not_compared(
    asker: Asker, drawn: Drawn
) -> None:
    drawn.lineage(("accepted",), share=0.0)
    drawn.put_into(asker.app)

    assert report_of(asker)["comparisons"] == []
    assert report_of(asker)["rewrites"][0]["accepted"] == 1


def test_an_accepted_picture_costs_what_the_tries_for_it_cost(asker: Asker, drawn: Drawn) -> None:
    painter, cheap = ("painter", 200_000, "CNY"), ("cheap", 50_000, "CNY")
    drawn.lineage(("accepted", "accepted"), jobs=(painter,))
    drawn.lineage(("rejected",), jobs=(painter,))
    drawn.lineage(("rejected", "accepted"), jobs=(painter, cheap))
    drawn.lineage(("accepted",), jobs=(("dollars", 40_000, "USD"),))
    drawn.lineage(("accepted",), jobs=(("unknown", None, None),))
    drawn.lineage((), jobs=(painter,))  # nobody has judged it
    drawn.put_into(asker.app)

    found = {one["model"]: one for one in report_of(asker)["models"]}

    assert {
        model: (one["pictures"], one["accepted"], [c["per_accepted"] for c in one["cost"]])
        for model, one in found.items()
    } == {
        "painter": (6, 2, ["0.300000"]),
        "cheap": (2, 1, ["0.050000"]),
        "dollars": (2, 1, ["0.040000"]),
        "unknown": (2, 1, []),
    }
    assert found["painter"]["cost"][0]["amount"] == "0.600000"
    assert (found["dollars"]["cost"][0]["currency"], found["unknown"]["unpriced"]) == ("USD", 1)


def test_people_come_before_the_judge_and_each_can_be_asked_for(asker: Asker, drawn: Drawn) -> None:
    drawn.lineage(("rejected",), passed=True)
    drawn.lineage((), passed=True)
    drawn.lineage(("accepted",))
    drawn.put_into(asker.app)

    found = {
        who: report_of(asker, judged_by=who)["rewrites"][0] for who in ("any", "people", "judge")
    }

    counts = {who: (one["judged"], one["accepted"]) for who, one in found.items()}
    assert counts == {"any": (3, 2), "people": (2, 1), "judge": (2, 2)}


def test_a_lineage_belongs_to_the_span_in_which_it_begins(asker: Asker, drawn: Drawn) -> None:
    day = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    drawn.lineage(("accepted",), at=day - timedelta(days=3, minutes=1))
    drawn.lineage(("accepted", "rejected"), at=day - timedelta(days=2, minutes=1))
    drawn.lineage(("rejected",), at=day - timedelta(days=1))
    drawn.put_into(asker.app)
    span = [(day - timedelta(days=n)).strftime("%Y-%m-%d") for n in (3, 2)]

    found = report_of(asker, since=span[0], until=span[1])

    assert [(one["judged"], one["accepted"]) for one in found["rewrites"]] == [(1, 1)]
    assert (found["since"], found["until"]) == tuple(f"{one}T00:00:00Z" for one in span)


def test_a_key_gets_a_report_of_its_own_lineages_and_an_admin_of_all(asker_of: AskerOf) -> None:
    asker = asker_of(**CLOSED)
    keys = [issue(asker.app, name) for name in ("shop", "other")]
    for number, key in enumerate(keys):
        drawn = Drawn(key.key.id)
        for _ in range(number + 1):
            drawn.lineage(("accepted",))
        drawn.put_into(asker.app)

    reports = [report_of(asker, bearer(text)) for text in (keys[0].secret, keys[1].secret, ADMIN)]

    assert [one["rewrites"][0]["judged"] for one in reports] == [1, 2, 3]


def test_a_report_of_many_pages_counts_every_lineage_once(asker: Asker, drawn: Drawn) -> None:
    lineages = PAGE // 3 + 100
    for number in range(lineages):
        drawn.lineage(("accepted",) if number % 2 else ("rejected",))
    drawn.put_into(asker.app)

    group = report_of(asker)["rewrites"][0]

    assert (group["lineages"], group["judged"]) == (lineages, lineages)
    assert group["accepted"] == lineages // 2


def test_one_lineage_with_more_events_than_a_page_is_whole(asker: Asker, drawn: Drawn) -> None:
    drawn.lineage(("rejected",) * PAGE)
    drawn.lineage(("accepted",))
    drawn.put_into(asker.app)

    group = report_of(asker)["rewrites"][0]

    assert (group["judged"], group["accepted"]) == (2, 1)


@pytest.mark.parametrize(
    "query", [{"judged_by": "me"}, {"since": "yesterday"}, {"group_by": "model"}]
)
def test_a_wrong_argument_is_named(asker: Asker, query: dict[str, str]) -> None:
    answer = asker.client.get(REPORTS, query_string=query)

    assert answer.status_code == 400
    assert next(iter(query)) in json.loads(answer.data)["error"]["message"]


def test_the_command_prints_the_same_figures(asker: Asker, drawn: Drawn) -> None:
    for outcome in ("accepted", "rejected"):
        drawn.lineage((outcome,))
        drawn.lineage((outcome,), arm="control", target="wan")
    drawn.put_into(asker.app)
    run = asker.app.test_cli_runner()

    as_json = run.invoke(args=["lineage", "report", "--format", "json"])
    as_table = run.invoke(args=["lineage", "report", "--judged-by", "people"])
    wrong = run.invoke(args=["lineage", "report", "--since", "yesterday"])

    shown = report_of(asker)
    assert json.loads(as_json.output) == {
        name: shown[name] for name in ("confidence", "rewrites", "comparisons", "models")
    }
    assert as_table.exit_code == 0, as_table.output
    assert "50.0%" in as_table.output
    assert "unclear" in as_table.output
    assert (wrong.exit_code, "since" in wrong.output) == (2, True)
