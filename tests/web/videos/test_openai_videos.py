"""`/v1/videos`: films in the shapes of OpenAI's SDKs."""

import base64
import io
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from llm_api.domain.making import Notice, Size
from llm_api.domain.tasks import TaskState
from llm_api.errors import UpstreamFault
from llm_api.services.videos import VideoJob
from llm_api.web.console.service_sentences import said
from llm_api.web.openai.videos.film_sizes import nearest_of
from llm_api.web.openai.videos.video_objects import video_object
from tests.support.pictures import picture
from tests.support.replies import json_reply
from tests.support.tables import each
from tests.web.images.studio import NOW
from tests.web.videos.cinema import MODEL, OPENAI, VIDEOS, Cinema

DATA = picture(size=(400, 300))
PNG = "data:image/png;base64," + base64.b64encode(DATA).decode()
NOT_THERE = "video_0123456789abcdef"
RISKY = {"code": "OutputVideoSensitiveContentDetected", "message": "It may be sensitive."}


def file() -> tuple[io.BytesIO, str]:
    """Return a picture as a file of a form."""
    return io.BytesIO(DATA), "frame.png"


def test_a_film_is_created_and_retrieved(cinema: Cinema, client: FlaskClient) -> None:
    created = cinema.create_by_form(seconds="8", size="720x1280")
    cinema.ended(created.get_json()["id"])
    retrieved = client.get(f"{OPENAI}/{created.get_json()['id']}")

    began, film = created.get_json(), retrieved.get_json()
    assert (created.status_code, created.headers["openai-poll-after-ms"]) == (200, "2000")
    assert (began["object"], began["status"], began["progress"]) == ("video", "queued", 0)
    assert (began["seconds"], began["size"], began["model"]) == ("8", "720x1280", MODEL)
    assert (film["status"], film["progress"], film["error"]) == ("completed", 100, None)
    assert film["completed_at"] >= film["created_at"]
    assert "openai-poll-after-ms" not in retrieved.headers
    assert [(one["duration"], one["ratio"]) for one in cinema.sent] == [(8, "9:16")]


def test_json_is_taken_as_a_form_is(cinema: Cinema) -> None:
    answers = [
        cinema.create(seconds=8, camera_fixed=True),
        cinema.create_by_form(seconds="8", camera_fixed="true"),
    ]

    for answer in answers:
        cinema.ended(answer.get_json()["id"])
    assert cinema.sent[0] == cinema.sent[1]
    assert (cinema.sent[0]["duration"], cinema.sent[0]["camera_fixed"]) == (8, True)


def test_a_reference_is_the_first_frame_however_it_is_sent(cinema: Cinema) -> None:
    answers = [
        cinema.create_by_form(input_reference=file()),
        cinema.create_by_form(**{"input_reference[image_url]": PNG}),
        cinema.create_by_form(input_reference=PNG),
        cinema.create(input_reference=PNG),
        cinema.create(input_reference={"image_url": PNG}),
        cinema.create(first_frame=PNG),
    ]

    for answer in answers:
        assert answer.status_code == 200, answer.text
    for answer in answers:
        cinema.ended(answer.get_json()["id"])
    sent = [one["content"][-1] for one in cinema.sent]
    assert [one["role"] for one in sent] == ["first_frame"] * len(answers)
    assert len({one["image_url"]["url"] for one in sent}) == 1


def test_the_last_picture_of_a_film_begins_the_next(cinema: Cinema, made: dict[str, Any]) -> None:
    file_id = made["result"]["last_frame_url"].rpartition("/")[2]

    answer = cinema.create(input_reference={"file_id": file_id})

    cinema.ended(answer.get_json()["id"])
    assert cinema.sent[-1]["content"][-1]["role"] == "first_frame"


@each(
    ("fields", "param", "code"),
    [
        ({"seconds": "0"}, "seconds", "out_of_range"),
        ({"seconds": "eight"}, "seconds", "invalid_type"),
        ({"size": "big"}, "size", "out_of_range"),
        ({"prompt": None}, "prompt", "missing"),
        ({"input_reference": "ftp://host"}, "input_reference", "invalid_url"),
        ({"input_reference": "data:image/png;base64,AAAA"}, "input_reference", "invalid_image"),
        ({"last_frame": PNG}, "last_frame", "not_supported"),
        ({"seconds": "auto"}, "seconds", "not_supported"),
        ({"model": "painter"}, "model", "model_makes_images"),
    ],
)
def test_a_wrong_field_is_refused_by_the_name_that_it_has_here(
    cinema: Cinema, fields: dict[str, Any], param: str, code: str
) -> None:
    answer = cinema.create(**fields)

    error = answer.get_json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
    assert error["message"].startswith(f"{param}: ")
    assert cinema.sent == []


@each(
    ("name", "value"),
    [
        ("image", PNG),
        ("image", "https://example.com/a.png"),
        ("images", [PNG]),
        ("image_url", {"url": PNG}),
        ("start_image", PNG),
        ("frames", ["x", PNG]),
    ],
)
def test_a_picture_under_another_name_is_refused_and_not_lost(
    cinema: Cinema, name: str, value: Any
) -> None:
    error = cinema.create(**{name: value}).get_json()["error"]

    assert (error["code"], error["param"]) == ("unknown_field", name)
    assert "input_reference" in error["message"]
    assert cinema.sent == []


def test_a_file_under_another_name_is_refused_and_not_lost(cinema: Cinema) -> None:
    answer = cinema.create_by_form(image=file())

    assert answer.get_json()["error"]["code"] == "unknown_field"
    assert "input_reference" in answer.get_json()["error"]["message"]


def test_what_a_model_does_not_take_is_left_out_and_named(cinema: Cinema) -> None:
    answer = cinema.create(
        reference_videos=None, seconds="15", size="1792x1024", style="noir", fps=24, seed=-5
    )

    named = answer.headers["x-llm-api-warnings"].split(", ")
    assert sorted(named) == [
        *("fps=dropped", "seconds=adapted", "seed=adapted", "size=adapted", "style=dropped")
    ]
    warned = {one["field"] for one in answer.get_json()["warnings"]}
    assert warned == {"fps", "seconds", "seed", "size", "style"}
    assert all(said("zh", one["message"]) for one in answer.get_json()["warnings"])
    assert (answer.get_json()["seconds"], answer.get_json()["size"]) == ("12", "1920x1080")
    cinema.ended(answer.get_json()["id"])


@each(
    ("size", "resolution", "ratio"),
    [
        ("1280x720", "720p", "16:9"),
        ("720x1280", "720p", "9:16"),
        ("1024x1792", "1080p", "9:16"),
        ("854x480", "480p", "16:9"),
        ("1024x1024", "720p", "1:1"),
        ("3840x2160", "4k", "16:9"),
        ("1440x1080", "1080p", "4:3"),
        ("2560x1080", "1080p", "21:9"),
        ("64x64", "480p", "1:1"),
    ],
)
def test_a_size_means_the_nearest_resolution_and_ratio(
    size: str, resolution: str, ratio: str
) -> None:
    width, height = map(int, size.split("x"))

    assert nearest_of(Size(width, height)) == (resolution, ratio)


def job_of(state: TaskState, **changes: Any) -> VideoJob:
    """Make a job in a state."""
    about = ("model", "video", "A kite", "A kite")
    return VideoJob("video_1", state, NOW, NOW + timedelta(days=7), *about, **changes)


FAILED = UpstreamFault("No film.", reason="task_failed")


@each(
    ("job", "status", "code"),
    [
        (job_of(TaskState.QUEUED), "queued", None),
        (job_of(TaskState.RUNNING), "queued", None),
        (job_of(TaskState.RUNNING, at_work=True, progress=40), "in_progress", None),
        (job_of(TaskState.SUCCEEDED), "completed", None),
        (job_of(TaskState.FAILED, error=FAILED), "failed", "task_failed"),
        (job_of(TaskState.CANCELLED, error=FAILED), "failed", "cancelled"),
        (job_of(TaskState.CANCELLED), "failed", "cancelled"),
        (job_of(TaskState.EXPIRED, error=FAILED), "failed", "expired"),
    ],
)
def test_of_states_there_are_four(job: VideoJob, status: str, code: str | None) -> None:
    shown = video_object(job, [Notice("style", "dropped", "It was left out.")])

    assert shown["status"] == status
    assert (None if shown["error"] is None else shown["error"]["code"]) == code
    assert isinstance(shown["progress"], int)
    assert isinstance(shown["seconds"], str)
    assert shown["warnings"][0]["field"] == "style"


def test_a_film_that_is_not_ready_is_a_404_that_no_sdk_repeats(cinema: Cinema) -> None:
    answer = cinema.client.get(f"{OPENAI}/{cinema.running()}/content")

    assert (answer.status_code, answer.headers["x-should-retry"]) == (404, "false")
    assert answer.get_json()["error"]["code"] == "task_not_ready"


def test_the_content_of_a_film_that_has_failed_is_a_400_with_the_reason(cinema: Cinema) -> None:
    cinema.vendor.on("create", json_reply(400, {"error": RISKY}))
    video_id = cinema.create().get_json()["id"]

    cinema.ended(video_id)
    film = cinema.client.get(f"{OPENAI}/{video_id}").get_json()
    answer = cinema.client.get(f"{OPENAI}/{video_id}/content")

    error = answer.get_json()["error"]
    assert (film["status"], film["error"]["code"]) == ("failed", "content_filtered")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
    assert (error["code"], error["details"]["stage"]) == ("content_filtered", "output")


def test_a_film_is_read_whole_and_in_parts(cinema: Cinema, made: dict[str, Any]) -> None:
    at = f"{OPENAI}/{made['id']}/content"

    whole = cinema.client.get(at)
    part = cinema.client.get(at, headers={"Range": "bytes=4-7"})
    behind = cinema.client.get(at, headers={"Range": "bytes=100000-"})
    known = cinema.client.get(at, headers={"If-None-Match": whole.headers["ETag"]})

    assert (whole.status_code, whole.content_type) == (200, "video/mp4")
    assert (part.status_code, part.data) == (206, b"ftyp")
    assert (behind.status_code, known.status_code) == (416, 304)
    assert len(whole.data) == made["result"]["bytes"]


def test_a_thumbnail_is_the_last_picture_where_there_is_one(
    cinema: Cinema, made: dict[str, Any]
) -> None:
    other = cinema.generate(wait_ms=20_000).get_json()
    asked = [(made, "thumbnail"), (made, "spritesheet"), (other, "thumbnail"), (made, "poster")]

    answers = [
        cinema.client.get(f"{OPENAI}/{film['id']}/content?variant={variant}")
        for film, variant in asked
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 404, 400]
    assert answers[0].content_type == "image/png"
    assert answers[1].get_json()["error"]["code"] == "not_supported"


def test_films_are_listed_in_both_orders(cinema: Cinema) -> None:
    made = [cinema.generate(wait_ms=20_000).get_json()["id"] for _ in range(2)]
    client = cinema.client

    newest = client.get(f"{OPENAI}?limit=1").get_json()
    next_one = client.get(f"{OPENAI}?limit=1&after={newest['last_id']}").get_json()
    later = client.get(f"{OPENAI}?order=asc&after={made[0]}&limit=100").get_json()

    assert (newest["object"], newest["first_id"], newest["last_id"]) == ("list", made[1], made[1])
    assert newest["has_more"] is True
    assert next_one["data"][0]["id"] == made[0]
    assert [one["id"] for one in later["data"]] == [made[1]]


def test_a_film_is_deleted_and_its_work_ended_where_that_is_possible(
    cinema: Cinema, made: dict[str, Any]
) -> None:
    for video_id in (made["id"], cinema.queued()):
        deleted = cinema.client.delete(f"{OPENAI}/{video_id}")

        assert deleted.get_json() == {"id": video_id, "object": "video.deleted", "deleted": True}
        assert cinema.client.get(f"{VIDEOS}/{video_id}").status_code == 404
    assert len(cinema.vendor.cancels) == 1


def test_a_film_that_the_vendor_cannot_cancel_is_not_deleted(cinema: Cinema) -> None:
    answer = cinema.client.delete(f"{OPENAI}/{cinema.running()}")

    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert answer.get_json()["error"]["code"] == "task_not_cancellable"


def test_a_film_that_is_not_there_is_a_404(client: FlaskClient) -> None:
    at = f"{OPENAI}/{NOT_THERE}"
    answers = [client.get(at), client.delete(at), client.get(f"{at}/content")]

    assert [answer.get_json()["error"]["code"] for answer in answers] == ["job_not_found"] * 3


@each("path", ["edits", "extensions", "characters", f"{NOT_THERE}/remix"])
def test_what_openai_does_beside_is_named_as_lacking(client: FlaskClient, path: str) -> None:
    answer = client.post(f"{OPENAI}/{path}", json={"prompt": "A kite"})

    assert (answer.status_code, answer.headers["x-should-retry"]) == (404, "false")
    assert answer.get_json()["error"]["code"] == "not_supported"
