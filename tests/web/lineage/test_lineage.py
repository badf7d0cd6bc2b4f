"""`GET /api/v1/lineage/{id}` and `POST /api/v1/feedback`: from a rewrite to what people say."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from llm_api.app import close_app
from llm_api.storage.sql.tables import lineage_events
from tests.support import replies
from tests.support.waiting import wait_until
from tests.web.keyed import ADMIN, CLOSED, bearer, issue
from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import BETTER, CAT, FEEDBACK, OPTIMIZE, Asker, picture_id_of
from tests.web.refusals import read_refusal

EDITED = f"{CAT}, at night"


def reason_of(answer: Any) -> tuple[int, str]:
    """Return the status and the reason of a refusal."""
    return answer.status_code, json.loads(answer.data)["error"]["details"]["reason"]


def stored_kinds(url: str) -> list[str]:
    """Return the kinds of all events in a database."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return list(connection.scalars(sa.select(lineage_events.c.kind)))


def test_a_rewrite_is_in_its_lineage(asker: Asker) -> None:
    asker.optimize("shop:7")

    found = asker.lineage("shop:7")

    rewrite = found["rewrites"][0]
    assert found["lineage_id"] == "shop:7"
    assert (rewrite["type"], rewrite["target_model"], rewrite["language"]) == (
        "image",
        "generic",
        "en",
    )
    assert (rewrite["method"], rewrite["passed"], rewrite["problems"]) == ("instructed", True, [])
    assert (rewrite["model"], rewrite["arm"]) == ("scripted", "rewrite")
    assert rewrite["template_version"]
    assert (found["pictures"], found["verdicts"], found["feedback"]) == ([], [], [])
    assert (found["cost"], found["unpriced"]) == ([], 1)


def test_a_failed_rewrite_says_what_was_wrong(asker: Asker) -> None:
    asker.upstream.script(*[replies.completion("I'm sorry, I cannot help with that.")] * 2)
    asker.client.post(
        OPTIMIZE,
        json={"prompt": CAT, "type": "image"},
        headers={"X-Lineage-Id": "shop:7"},
    )

    rewrite = asker.lineage("shop:7")["rewrites"][0]

    assert (rewrite["method"], rewrite["passed"]) == ("fallback", False)
    assert "refusal" in rewrite["problems"]


def test_pictures_and_their_rewrite_are_in_one_lineage(asker: Asker) -> None:
    job = asker.draw("shop:7", n=2)

    pictures = asker.lineage("shop:7")["pictures"][0]

    assert pictures["job_id"] == job["id"]
    assert (pictures["model"], pictures["n"], pictures["failed"]) == ("layout-sketch", 2, 0)
    assert pictures["picture_ids"][0] == picture_id_of(job)


def test_a_call_without_a_lineage_is_its_own(asker: Asker) -> None:
    job = asker.draw()

    assert asker.lineage(job["request_id"])["pictures"][0]["job_id"] == job["id"]


def test_an_order_and_its_rewrite_share_the_lineage_of_the_request(asker: Asker) -> None:
    asker.upstream.script(replies.completion(json.dumps({"optimized_prompt": BETTER})))
    job = asker.draw(prompt=CAT, optimize_prompt=True)

    found = asker.lineage(job["request_id"])

    assert len(found["rewrites"]) == len(found["pictures"]) == 1
    assert found["pictures"][0]["is_optimized"]


def test_feedback_is_found_at_once(asker: Asker) -> None:
    asker.optimize("shop:7")

    said = asker.said(lineage_id="shop:7", outcome="accepted", score=80)

    assert asker.lineage("shop:7")["feedback"] == [said]
    assert (said["outcome"], said["score"], said["picture_id"]) == ("accepted", 80, None)


def test_feedback_on_a_picture_and_on_a_job_finds_the_lineage(asker: Asker) -> None:
    job = asker.draw("shop:7")
    picture = picture_id_of(job)

    on_picture = asker.said(picture_id=picture, outcome="accepted")
    on_job = asker.said(job_id=job["id"], outcome="rejected")

    assert {on_picture["lineage_id"], on_job["lineage_id"]} == {"shop:7"}
    assert (on_picture["job_id"], on_picture["picture_id"]) == (job["id"], picture)
    assert len(asker.lineage("shop:7")["feedback"]) == 2


def test_a_correction_takes_the_place_of_what_was_said(asker: Asker) -> None:
    job = asker.draw("shop:7")
    picture = picture_id_of(job)

    for outcome in ("accepted", "accepted", "rejected"):
        asker.said(picture_id=picture, outcome=outcome)

    assert [one["outcome"] for one in asker.lineage("shop:7")["feedback"]] == ["rejected"]


def test_an_edited_prompt_says_how_much_has_changed(asker: Asker) -> None:
    asker.draw("shop:7", prompt="a red cat and a dog")

    said = asker.said(
        lineage_id="shop:7", outcome="edited", edited_prompt="a blue cat and a dog, by day"
    )
    same = asker.said(lineage_id="shop:7", outcome="edited", edited_prompt="a red cat and a dog")

    assert said["edited_length"] == 28
    assert 0 < said["changed"] < 1
    assert same["changed"] == 0
    assert "texts" not in said


def test_nobody_knows_how_much_has_changed_of_what_is_not_kept(asker: Asker) -> None:
    asker.optimize("shop:7")

    said = asker.said(lineage_id="shop:7", outcome="edited", edited_prompt=EDITED)

    assert (said["edited_length"], said["changed"]) == (len(EDITED), None)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"lineage_id": "none"}, "lineage_not_found"),
        ({"job_id": "img_none"}, "job_not_found"),
        ({"picture_id": "file_" + 32 * "0"}, "file_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(asker: Asker, subject: dict[str, str], reason: str) -> None:
    assert reason_of(asker.say(**subject, outcome="accepted")) == (404, reason)


def test_an_unknown_lineage_is_not_found(asker: Asker) -> None:
    assert reason_of(asker.get("none")) == (404, "lineage_not_found")


@pytest.mark.parametrize(
    "subject",
    [{}, {"lineage_id": "a", "job_id": "b"}, {"lineage_id": "a", "picture_id": "file_0"}],
)
def test_feedback_is_about_one_thing(asker: Asker, subject: dict[str, str]) -> None:
    answer = asker.say(**subject, outcome="accepted")

    refusal = read_refusal(FEEDBACK, answer.status_code, answer.headers, answer.data)
    assert answer.status_code == 400
    assert "exactly one of lineage_id, job_id, picture_id" in refusal.message


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        ({"outcome": "edited"}, "missing", "must be given with the outcome edited"),
        ({"outcome": "edited", "edited_prompt": None}, "missing", "must be given"),
        ({"outcome": "accepted", "edited_prompt": "A dog"}, "not_supported", "belongs to the"),
        ({"outcome": "rejected", "edited_prompt": "A dog"}, "not_supported", "belongs to the"),
    ],
)
def test_an_edited_prompt_and_the_outcome_belong_together(
    asker: Asker, said: dict[str, object], reason: str, words: str
) -> None:
    answer = asker.say(lineage_id="shop:7", **said)

    refusal = read_refusal(FEEDBACK, answer.status_code, answer.headers, answer.data)
    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == ("edited_prompt",)
    assert words in refusal.message


def test_a_null_is_no_edited_prompt(asker: Asker) -> None:
    asker.optimize("shop:7")

    assert asker.said(lineage_id="shop:7", outcome="accepted", edited_prompt=None)["score"] is None


# --- whose it is ---


def test_a_key_sees_its_own_lineages_and_an_admin_those_of_all(asker_of: AskerOf) -> None:
    asker = asker_of(**CLOSED)
    mine, other = (bearer(issue(asker.app, name).secret) for name in ("shop", "other"))
    asker.optimize("shop:7", mine)
    asker.lineage("shop:7", mine)

    refused = [
        asker.get("shop:7", other),
        asker.say(other, lineage_id="shop:7", outcome="rejected"),
    ]

    assert [reason_of(answer) for answer in refused] == [(404, "lineage_not_found")] * 2
    assert len(asker.lineage("shop:7", bearer(ADMIN))["rewrites"]) == 1


def test_keys_that_name_the_same_lineage_have_one_each(asker_of: AskerOf) -> None:
    asker = asker_of(**CLOSED)
    keys = [bearer(issue(asker.app, name).secret) for name in ("shop", "other")]
    for key in keys:
        asker.optimize("shop:7", key)
    asker.said(keys[0], lineage_id="shop:7", outcome="accepted")

    first, second, both = (asker.lineage("shop:7", key) for key in (*keys, bearer(ADMIN)))

    assert [len(one["feedback"]) for one in (first, second, both)] == [1, 0, 1]
    assert [len(one["rewrites"]) for one in (first, second, both)] == [1, 1, 2]


def test_pictures_of_another_key_get_no_feedback(asker_of: AskerOf) -> None:
    asker = asker_of(**CLOSED)
    mine, other = (bearer(issue(asker.app, name).secret) for name in ("shop", "other"))
    job = asker.draw("shop:7", mine)

    subjects: list[dict[str, object]] = [{"job_id": job["id"]}, {"picture_id": picture_id_of(job)}]
    refused = [asker.say(other, **subject, outcome="accepted") for subject in subjects]

    assert [answer.status_code for answer in refused] == [404, 404]
    assert asker.said(mine, job_id=job["id"], outcome="accepted")["lineage_id"] == "shop:7"


def test_an_admin_s_feedback_belongs_to_the_lineage_s_key(asker_of: AskerOf) -> None:
    asker = asker_of(**CLOSED)
    mine = bearer(issue(asker.app, "shop").secret)
    asker.optimize("shop:7", mine)

    asker.said(bearer(ADMIN), lineage_id="shop:7", outcome="rejected")

    assert [one["outcome"] for one in asker.lineage("shop:7", mine)["feedback"]] == ["rejected"]


def test_a_rewrite_comes_into_its_lineage_by_itself(asker: Asker) -> None:
    asker.optimize("shop:7")
    url = asker.app.config["DATABASE_OF_THE_TEST"]

    wait_until(lambda: stored_kinds(url) == ["rewrite"], 20, "the rewrite is in the database")


def test_what_was_recorded_last_is_stored_when_the_application_ends(asker: Asker) -> None:
    url = asker.app.config["DATABASE_OF_THE_TEST"]
    asker.optimize("shop:7")

    close_app(asker.app)

    assert stored_kinds(url) == ["rewrite"]
