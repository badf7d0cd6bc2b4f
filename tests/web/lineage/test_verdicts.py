"""Verdicts are in the lineage of what they judge, without a word of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.judge import SCORE_IMAGE, always, judge_env, judge_that
from tests.support.upstream import ScriptedUpstream
from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import CAT, Asker, picture_id_of

POINT = "There is exactly one cat"


@pytest.fixture
def seer() -> Iterator[ScriptedUpstream]:
    """Run a vision model."""
    with ScriptedUpstream() as server:
        yield server


def judged(
    asker: Asker, seer: ScriptedUpstream, picture: str, lineage: str | None = None, **how: Any
) -> dict[str, Any]:
    """Have a picture of the application judged."""
    seer.script(*always(judge_that(**how), 2))
    body = {"image": picture, "prompt": CAT, "checkpoints": [POINT]}
    headers = {} if lineage is None else {"X-Lineage-Id": lineage}
    answer = asker.client.post(SCORE_IMAGE, json=body, headers=headers)
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = json.loads(answer.data)
    return found


def test_a_verdict_on_a_picture_of_ours_is_in_the_lineage_of_its_job(
    asker_of: AskerOf, seer: ScriptedUpstream
) -> None:
    asker = asker_of(**judge_env(seer.url))
    job = asker.draw("shop:7")

    told = judged(asker, seer, job["data"][0]["url"])
    verdict = asker.lineage("shop:7")["verdicts"][0]

    assert (verdict["job_id"], verdict["picture_id"]) == (job["id"], picture_id_of(job))
    assert verdict["method"] == "vision"
    assert {name: verdict[name] for name in ("overall", "passed", "model", "coverage")} == {
        name: told[name] for name in ("overall", "passed", "model", "coverage")
    }
    assert (verdict["samples"], verdict["rubric_version"]) == (1, "1")
    assert {"outcome": "passed", "source": "vision", "kind": "other"} in verdict["checkpoints"]
    assert verdict["request_id"] == told["request_id"]
    assert POINT not in json.dumps(verdict)


def test_a_lineage_that_is_named_has_the_verdict(asker_of: AskerOf, seer: ScriptedUpstream) -> None:
    asker = asker_of(**judge_env(seer.url))
    job = asker.draw("shop:7")

    judged(asker, seer, job["data"][0]["url"], lineage="other:1")

    assert len(asker.lineage("other:1")["verdicts"]) == 1
    assert asker.lineage("shop:7")["verdicts"] == []


def test_words_of_a_verdict_are_kept_with_the_texts(
    asker_of: AskerOf, seer: ScriptedUpstream
) -> None:
    asker = asker_of(**judge_env(seer.url), LINEAGE_TEXTS="on")
    job = asker.draw("shop:7")

    judged(asker, seer, job["data"][0]["url"])

    texts = asker.lineage("shop:7")["verdicts"][0]["texts"]
    assert POINT in texts.values()
    assert texts["summary"]


def test_a_verdict_without_a_lineage_is_its_own(asker_of: AskerOf, seer: ScriptedUpstream) -> None:
    asker = asker_of(**judge_env(seer.url))
    pixel = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8"
        "BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
    )

    told = judged(asker, seer, pixel)

    assert len(asker.lineage(told["request_id"])["verdicts"]) == 1
