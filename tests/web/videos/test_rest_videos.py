"""`/api/v1/videos`: films are ordered, waited for, listed, cancelled and deleted."""

import base64
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy import event

from tests.support.pictures import picture
from tests.support.replies import json_reply
from tests.support.tables import each
from tests.web.videos.cinema import GENERATE, MODEL, PRICED, VIDEOS, Cinema

PNG = "data:image/png;base64," + base64.b64encode(picture(size=(400, 300))).decode()
REFUSED_FACE = json_reply(
    400,
    {
        "error": {
            "code": "InputImageSensitiveContentDetected.PrivacyInformation",
            "message": "The request failed because the input image may contain real person.",
        }
    },
)


def test_a_film_is_a_task_that_ends_with_a_file(cinema: Cinema, client: FlaskClient) -> None:
    began = cinema.generate(duration=10, aspect_ratio="9:16", resolution="480p", seed=0)
    task = cinema.ended(began.get_json()["id"])
    film = client.get(task["result"]["url"])

    assert (began.status_code, began.headers["Location"]) == (202, task["poll_url"])
    assert (began.get_json()["status"], began.get_json()["poll_after_ms"]) == ("queued", 2_000)
    assert (task["status"], task["progress"], task["poll_after_ms"]) == ("succeeded", 100, None)
    assert task["request"] == {
        "resolution": "480p",
        "aspect_ratio": "9:16",
        "duration": 10,
        "audio": False,
        "seed": 0,
    }
    assert (film.content_type, film.headers["Content-Disposition"][-5:]) == ("video/mp4", '.mp4"')
    assert task["result"]["bytes"] == len(film.data)


def test_a_film_that_ends_within_the_wait_is_answered_at_once(made: dict[str, Any]) -> None:
    assert (made["status"], made["result"]["duration"]) == ("succeeded", 5.0)
    assert made["result"]["last_frame_url"].startswith("/api/v1/files/")


def test_prefer_is_honored_as_wait_ms_is(cinema: Cinema) -> None:
    answer = cinema.generate(headers={"Prefer": "wait=20"})

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=20")


def test_a_task_is_running_as_soon_as_its_vendor_has_begun(cinema: Cinema) -> None:
    video_id = cinema.running()

    waited = cinema.client.get(f"{VIDEOS}/{video_id}?wait_ms=50").get_json()

    assert (waited["status"], waited["result"], waited["progress"]) == ("running", None, None)
    assert waited["poll_after_ms"] == 5_000


@each(
    ("fields", "field", "reason"),
    [
        ({"prompt": None}, "prompt", "missing"),
        ({"prompt": " \n"}, "prompt", "out_of_range"),
        ({"prompt": None, "first_frame": PNG, "optimize_prompt": True}, "prompt", "missing"),
        ({"duration": 0}, "duration", "out_of_range"),
        ({"duration": 61}, "duration", "out_of_range"),
        ({"duration": 5.5}, "duration", "invalid_type"),
        ({"duration": "5"}, "duration", "invalid_type"),
        ({"resolution": "721p"}, "resolution", "out_of_range"),
        ({"aspect_ratio": "2:1"}, "aspect_ratio", "out_of_range"),
        ({"first_frame": "ftp://host/a.png"}, "first_frame", "invalid_url"),
        ({"last_frame": PNG}, "last_frame", "not_supported"),
        ({"first_frame": PNG, "reference_images": [PNG]}, "reference_images", "not_supported"),
        ({"reference_images": [PNG] * 10}, "reference_images", "out_of_range"),
        ({"reference_videos": ["http://host/a.mp4"]}, "reference_videos[0]", "invalid_url"),
        ({"reference_audios": ["https://host/a b"]}, "reference_audios[0]", "invalid_url"),
        ({"retry_without_audio": True}, "retry_without_audio", "not_supported"),
        ({"optimize_options": {}}, "optimize_options", "not_supported"),
        ({"preview": True, "callback_url": "https://h.example"}, "callback_url", "not_supported"),
        ({"max_cost_micros": -1}, "max_cost_micros", "out_of_range"),
        ({"wait_ms": 600_001}, "wait_ms", "out_of_range"),
        ({"fps": 0}, "fps", "out_of_range"),
        ({"size": "1280x720"}, "size", "unknown_field"),
        # What this model does not take is refused, and not left out in silence.
        ({"duration": 13}, "duration", "out_of_range"),
        ({"duration": "auto"}, "duration", "not_supported"),
        ({"resolution": "4k"}, "resolution", "not_supported"),
        ({"audio": True}, "audio", "not_supported"),
        ({"reference_images": [PNG]}, "reference_images", "not_supported"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    cinema: Cinema, fields: dict[str, Any], field: str, reason: str
) -> None:
    answer = cinema.generate(**fields)

    details = answer.get_json()["error"]["details"]
    assert (answer.status_code, details["reason"]) == (400, reason)
    assert details["errors"][0]["field"] == field
    assert cinema.sent == []


def test_a_first_frame_needs_no_prompt_and_goes_to_the_vendor(cinema: Cinema) -> None:
    answer = cinema.generate(prompt=None, first_frame=PNG, last_frame=PNG, camera_fixed=True)

    cinema.ended(answer.get_json()["id"])
    (sent,) = cinema.sent
    assert [one["role"] for one in sent["content"]] == ["first_frame", "last_frame"]
    assert (sent["ratio"], sent["camera_fixed"]) == ("adaptive", True)


def test_a_preview_sends_nothing_and_says_the_cost(cinema: Cinema) -> None:
    answer = cinema.generate(model=PRICED, preview=True, max_cost_micros=1)

    shown = answer.get_json()
    assert (answer.status_code, shown["object"]) == (200, "video.preview")
    assert (shown["cost_micros"], shown["currency"]) == (1_000_000, "CNY")
    assert shown["requests"][0]["body"]["generate_audio"] is False
    assert cinema.sent == []


@each(
    ("model", "most", "reason"),
    [(PRICED, 999_999, "max_cost_too_low"), (MODEL, 10**9, "price_unknown")],
)
def test_a_film_that_may_cost_too_much_is_not_begun(
    cinema: Cinema, model: str, most: int, reason: str
) -> None:
    answer = cinema.generate(model=model, max_cost_micros=most)

    assert answer.get_json()["error"]["details"]["reason"] == reason
    assert cinema.sent == []


def test_the_files_of_a_page_are_read_at_once(cinema: Cinema) -> None:
    made = [cinema.generate(wait_ms=20_000).get_json()["id"] for _ in range(3)]
    looks: list[str] = []

    def note(*of_statement: Any) -> None:
        statement, values = of_statement[2:4]
        if "FROM files" in statement and any(one in str(values) for one in made):
            looks.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        listed = cinema.client.get(f"{VIDEOS}?limit=3").get_json()["data"]
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)

    assert sorted(one["id"] for one in listed) == sorted(made)
    assert all(one["result"]["url"] for one in listed)
    assert len(looks) == 1


def test_a_film_that_costs_no_more_than_it_may_is_made(cinema: Cinema) -> None:
    task = cinema.generate(model=PRICED, max_cost_micros=1_000_000, wait_ms=20_000).get_json()

    assert (task["usage"]["cost_micros"], task["usage"]["currency"]) == (1_000_000, "CNY")


def test_a_repeat_joins_the_film_of_the_first(cinema: Cinema) -> None:
    headers = {"Idempotency-Key": "kite-1"}
    first, second = (cinema.generate(headers=headers) for _ in range(2))

    assert first.get_json()["id"] == second.get_json()["id"]
    assert second.headers["idempotent-replayed"] == "true"
    cinema.ended(first.get_json()["id"])
    assert len(cinema.sent) == 1


def test_a_film_that_was_refused_says_why(cinema: Cinema) -> None:
    cinema.vendor.on("create", REFUSED_FACE, REFUSED_FACE)

    task = cinema.ended(cinema.generate(first_frame=PNG).get_json()["id"])
    at_once = cinema.generate(first_frame=PNG, wait_ms=20_000)

    assert (task["status"], task["result"]) == ("failed", None)
    error = task["error"]
    assert (error["reason"], error["what"]) == ("content_filtered", "face")
    assert at_once.status_code == 400
    assert at_once.get_json()["error"]["details"]["what"] == "face"


def test_films_are_listed_page_by_page_and_by_state(cinema: Cinema) -> None:
    made = [cinema.generate(wait_ms=20_000).get_json()["id"] for _ in range(3)]
    running = cinema.running()

    first = cinema.client.get(f"{VIDEOS}?limit=3").get_json()
    rest = cinema.client.get(f"{VIDEOS}?limit=100&after={first['last_id']}").get_json()
    by_state = cinema.client.get(f"{VIDEOS}?status=running").get_json()["data"]

    assert [one["id"] for one in first["data"]] == [running, made[2], made[1]]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert rest["data"][0]["id"] == made[0]
    assert [one["id"] for one in by_state] == [running]
    assert cinema.client.get(f"{VIDEOS}?status=queued").get_json()["data"] == []


@each(
    "query",
    ["status=gone", "limit=0", "limit=101", "limit=x", "after=img_1", "order=asc", "wait_ms=1"],
)
def test_a_wrong_argument_of_the_list_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"{VIDEOS}?{query}").status_code == 400


def test_a_page_after_a_film_that_is_not_there_is_a_404(client: FlaskClient) -> None:
    answer = client.get(f"{VIDEOS}?after=video_0123456789abcdef")

    assert answer.get_json()["error"]["details"]["reason"] == "job_not_found"


def test_a_film_is_waited_for_a_minute_at_most(client: FlaskClient) -> None:
    answer = client.get(f"{VIDEOS}/video_0123456789abcdef?wait_ms=60001")

    assert answer.status_code == 400


def test_a_film_that_the_vendor_can_cancel_is_cancelled(cinema: Cinema) -> None:
    video_id = cinema.queued()

    answer = cinema.client.delete(f"{VIDEOS}/{video_id}").get_json()

    assert (answer["status"], answer["cancel_state"]) == ("cancelled", "cancelled")
    assert cinema.ended(video_id)["error"]["reason"] == "cancelled"
    assert len(cinema.vendor.cancels) == 1
    assert cinema.client.delete(f"{VIDEOS}/{video_id}").status_code == 200


def test_a_film_that_the_vendor_cannot_cancel_goes_on_and_says_so(cinema: Cinema) -> None:
    video_id = cinema.running()

    answer = cinema.client.delete(f"{VIDEOS}/{video_id}")

    error = answer.get_json()["error"]
    assert (answer.status_code, error["details"]["reason"]) == (409, "task_not_cancellable")
    assert "cannot cancel it: it goes on" in error["message"]
    assert cinema.client.get(f"{VIDEOS}/{video_id}").get_json()["status"] == "running"


def test_a_film_that_has_ended_is_deleted_with_its_files(
    cinema: Cinema, made: dict[str, Any]
) -> None:
    at = f"{VIDEOS}/{made['id']}"

    refused, purged = cinema.client.delete(at), cinema.client.delete(f"{at}?purge=1")

    assert (refused.status_code, purged.get_json()["deleted"]) == (409, True)
    files = [made["result"][name] for name in ("url", "last_frame_url")]
    assert [cinema.client.get(one).status_code for one in (at, *files)] == [404, 404, 404]


def test_a_film_that_is_being_made_is_not_deleted(cinema: Cinema) -> None:
    answer = cinema.client.delete(f"{VIDEOS}/{cinema.running()}?purge=1")

    assert answer.get_json()["error"]["details"]["reason"] == "job_running"


def test_a_path_beside_films_has_its_own_methods(client: FlaskClient) -> None:
    answer = client.open(GENERATE, method="OPTIONS")

    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_body_that_is_no_json_is_refused(client: FlaskClient) -> None:
    answer = client.post(GENERATE, data={"prompt": "A kite"}, content_type="multipart/form-data")

    assert answer.status_code == 415
