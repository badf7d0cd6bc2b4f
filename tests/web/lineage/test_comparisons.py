"""Comparisons, rankings and descriptions are in the lineage that is named, or their own."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llm_api.domain.calls import Caller
from llm_api.domain.judging import JudgedPicture, Measurements, Verdict
from llm_api.services.judge.verdict_events import verdict_event
from llm_api.services.measured_judge import verdict_of_measured
from tests.support.judge import SCORE_IMAGE, data_uri, judge_env, preference, says
from tests.support.pictures import picture
from tests.support.upstream import ScriptedUpstream
from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import Asker, picture_id_of

DESCRIBE = "/api/v1/llm/describe-image"
GRAY, DARK = (data_uri(picture(shade=shade)) for shade in (128, 9))
GOOD = "A gray cat sits on a wooden chair. Soft light falls from the left."
PRICED = {"JUDGE_LLM_MODEL": "doubao-seed-1-6-251015"}
NAMED = {"X-Lineage-Id": "shop:7"}
IN_LINEAGE = Caller("req_1", "/", lambda: False, lineage_id="shop:7")


@pytest.fixture
def seer() -> Iterator[ScriptedUpstream]:
    """Run a vision model."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def asker(asker_of: AskerOf, seer: ScriptedUpstream) -> Asker:
    """Build an application with a vision model."""
    return asker_of(**judge_env(seer.url, **PRICED))


def sent(asker: Asker, route: str, headers: Mapping[str, str] = NAMED, **body: object) -> Any:
    """Send a request that is served."""
    answer = asker.client.post(route, json=body, headers=headers)
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def test_a_comparison_is_in_the_lineage_that_is_named(asker: Asker, seer: ScriptedUpstream) -> None:
    ours = asker.draw("shop:7")
    seer.script(says(preference("second")), says(preference("first")))

    told = sent(asker, SCORE_IMAGE, mode="compare", images=[GRAY, ours["data"][0]["url"]])
    [found] = asker.lineage("shop:7")["comparisons"]

    assert (found["mode"], found["ranking"], found["wins"]) == ("compare", [1, 0], [0.0, 1.0])
    assert (found["consistent"], found["samples"], found["rubric_version"]) == (True, 1, "1")
    assert found["picture_ids"] == [None, picture_id_of(ours)]
    assert found["request_id"] == told["request_id"]
    assert "sharper" not in json.dumps(found)


def test_of_a_tie_there_is_no_order(asker: Asker, seer: ScriptedUpstream) -> None:
    seer.script(*[says(preference("first"))] * 2)

    sent(asker, SCORE_IMAGE, mode="compare", images=[GRAY, DARK])
    [found] = asker.lineage("shop:7")["comparisons"]

    assert (found["ranking"], found["wins"], found["consistent"]) == ([], [0.5, 0.5], False)


def test_a_ranking_is_in_the_lineage_that_is_named(asker: Asker, seer: ScriptedUpstream) -> None:
    seer.script(*[says(preference("tie"))] * 6)
    pictures = [GRAY, DARK, data_uri(picture(shade=200))]

    told = sent(asker, SCORE_IMAGE, mode="rank", images=pictures)
    [found] = asker.lineage("shop:7")["comparisons"]

    assert (found["mode"], found["ranking"], found["wins"]) == ("rank", told["ranking"], [1.0] * 3)


def test_a_description_is_in_the_lineage_that_is_named(
    asker: Asker, seer: ScriptedUpstream
) -> None:
    seer.script(says({"optimized_prompt": GOOD}))

    sent(asker, DESCRIBE, image=GRAY, target_model="flux")
    lineage = asker.lineage("shop:7")
    [found] = lineage["descriptions"]

    assert (found["type"], found["target_model"], found["language"]) == ("image", "flux", "en")
    assert (found["passed"], found["problems"], found["picture_id"]) == (True, [], None)
    assert "wooden chair" not in json.dumps(lineage)


def test_without_a_named_lineage_that_of_a_picture_is_not_meant(
    asker: Asker, seer: ScriptedUpstream
) -> None:
    ours = asker.draw("shop:7")["data"][0]["url"]
    seer.script(*[says(preference("first"))] * 2, says({"optimized_prompt": GOOD}))

    told = sent(asker, SCORE_IMAGE, {}, mode="compare", images=[ours, DARK])
    sent(asker, DESCRIBE, {}, image=ours)

    lineage = asker.lineage("shop:7")
    assert (lineage["comparisons"], lineage["descriptions"]) == ([], [])
    [own] = asker.lineage(told["request_id"])["comparisons"]
    assert (own["mode"], own["wins"]) == ("compare", [0.5, 0.5])


def test_what_was_measured_costs_nothing_and_that_is_known(asker: Asker) -> None:
    ours = picture_id_of(asker.draw("shop:7"))
    seen = JudgedPicture(b"", "image/png", 1, 1, b"", file_id=ours)
    measured, paid = verdict_of_measured(Measurements(1, 1), ()), Verdict("vision", model="seer")

    for verdict in (measured, paid):  # of the second nobody knows the price
        asker.app.extensions["llm_api"].lineage.record(verdict_event(seen, verdict, IN_LINEAGE))
    lineage = asker.lineage("shop:7")

    costs = [(one["method"], one["cost_micros"]) for one in lineage["verdicts"]]
    assert costs == [("measured", 0), ("vision", None)]
    assert lineage["unpriced"] == 1
    assert {one["currency"] for one in lineage["cost"]} == {"CNY"}


def test_a_rewrite_without_a_call_costs_nothing_and_that_is_known(asker_of: AskerOf) -> None:
    asker = asker_of(OPTIMIZER_CONTROL_SHARE="1")

    asker.optimize("shop:7")

    [rewrite] = asker.lineage("shop:7")["rewrites"]
    assert (rewrite["arm"], rewrite["cost_micros"], rewrite["currency"]) == ("control", 0, None)
