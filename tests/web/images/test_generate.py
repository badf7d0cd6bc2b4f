"""`POST /api/v1/images/generate`: what it takes, what it refuses, and how it answers."""

import base64
import json
import tracemalloc
from http import HTTPStatus
from typing import Any

import pytest
from flask.testing import FlaskClient

from llm_api.domain.images import SizePolicy
from llm_api.domain.making import InputPicture, MadeUsage, Size
from llm_api.errors import Unavailable, UpstreamFault
from tests.web.images.conftest import GENERATE, GENERATIONS, Ask
from tests.web.images.studio import (
    BYTES,
    DATA_URI,
    FAILURE,
    NOTICE,
    RUNNING,
    Inputs,
    Studio,
    job_of,
)

WRONG = [
    ({"prompt": " "}, "prompt", "out_of_range"),
    ({"prompt": "x" * 4_001}, "prompt", "out_of_range"),
    ({"n": 11}, "n", "out_of_range"),
    ({"n": "2"}, "n", "invalid_type"),
    ({"size": "auto"}, "size", "out_of_range"),
    ({"size": "99999x1"}, "size", "out_of_range"),
    ({"size": 1024}, "size", "invalid_type"),
    ({"size": "64x64", "aspect_ratio": "1:1"}, "size", "not_supported"),
    ({"size": "64x64", "resolution": "1K"}, "size", "not_supported"),
    ({"aspect_ratio": "5:4"}, "aspect_ratio", "out_of_range"),
    ({"resolution": "8K"}, "resolution", "out_of_range"),
    ({"size_policy": "any"}, "size_policy", "out_of_range"),
    ({"seed": -1}, "seed", "out_of_range"),
    ({"seed": 2**31}, "seed", "out_of_range"),
    ({"quality": "hd"}, "quality", "out_of_range"),
    ({"background": "red"}, "background", "out_of_range"),
    ({"output_format": "gif"}, "output_format", "out_of_range"),
    ({"output_compression": 101}, "output_compression", "out_of_range"),
    ({"images": ["x y"]}, "images[0]", "invalid_url"),
    ({"images": ["http://host/a.png"]}, "images[0]", "invalid_url"),
    ({"images": [DATA_URI] * 15}, "images", "out_of_range"),
    ({"images": ["data:image/png;base64,###"]}, "images[0]", "invalid_url"),
    ({"images": ["data:text/html;base64,AAAA"]}, "images[0]", "invalid_url"),
    ({"mask": DATA_URI}, "mask", "not_supported"),
    ({"optimize_options": {"style": "watercolor"}}, "optimize_options", "not_supported"),
    (
        {"optimize_prompt": True, "optimize_options": {"n": 1}},
        "optimize_options.n",
        "unknown_field",
    ),
    ({"callback_url": "https://host/", "preview": True}, "callback_url", "not_supported"),
    ({"response_format": "png"}, "response_format", "out_of_range"),
    ({"wait_ms": 600_001}, "wait_ms", "out_of_range"),
    ({"user": ""}, "user", "out_of_range"),
    ({"tags": ["a b"]}, "tags[0]", "out_of_range"),
    ({"tags": ["a"] * 11}, "tags", "out_of_range"),
    ({"tags": "a"}, "tags", "invalid_type"),
    ({"stream": True}, "stream", "unknown_field"),
    ({"style": "vivid"}, "style", "unknown_field"),
]


@pytest.mark.parametrize(("body", "field", "reason"), WRONG)
def test_what_is_wrong_is_refused_with_its_name(
    generate: Ask, studio: Studio, body: dict[str, Any], field: str, reason: str
) -> None:
    answer = generate(**body)

    error = answer.get_json()["error"]
    assert (answer.status_code, error["details"]["reason"]) == (400, reason)
    assert error["details"]["errors"][0]["field"] == field
    assert studio.asked == []


def test_every_field_reaches_the_service(generate: Ask, studio: Studio) -> None:
    fields = {"model": "m", "negative_prompt": "dogs", "n": 2, "seed": 7, "quality": "high"}
    fields |= {"background": "opaque", "output_format": "webp", "output_compression": 80}

    generate(
        **fields, size="640×480", size_policy="nearest", watermark=True, user="ann"
    )  # it is the sign

    request = studio.asked[0].request
    assert {name: getattr(request, name) for name in fields} == fields
    assert request.size == Size(640, 480)
    assert (request.size_policy, request.watermark) == (SizePolicy.NEAREST, True)
    assert request.user is not None
    assert len(request.user) == 64
    assert (request.is_edit, request.extra) == (False, {})


@pytest.mark.parametrize("size", ["640x480", "640X480", "640*480", "640 x 480"])
def test_a_size_is_read_however_it_is_written(generate: Ask, studio: Studio, size: str) -> None:
    generate(size=size)

    assert studio.asked[0].request.size == Size(640, 480)
    assert studio.asked[0].request.size_policy is SizePolicy.EXACT


def test_null_is_left_out(generate: Ask, studio: Studio) -> None:
    names = ("model", "n", "size", "aspect_ratio", "seed", "images", "mask", "wait_ms", "user")

    answer = generate(**dict.fromkeys(names))

    assert answer.status_code == 200
    assert (studio.asked[0].request.n, studio.asked[0].request.references) == (1, ())
    assert studio.asked[0].options["wait"] == 300.0


def test_the_answer_has_links_and_what_became_of_the_request(generate: Ask, studio: Studio) -> None:
    usage = MadeUsage(1, 0, 3_072, 12, 4_000, {"total": 1})
    studio.outcome = job_of(failed=(FAILURE,), notices=(NOTICE,), usage=usage, vendor_prompt="A C")

    answer = generate()

    document = answer.get_json()
    assert document["data"] == [
        {
            "index": 0,
            "url": "/api/v1/files/file_00000000",
            "b64_json": None,
            "mime_type": "image/png",
            "width": 64,
            "height": 48,
            "bytes": len(BYTES),
            "seed": 7,
            "revised_prompt": None,
        }
    ]
    assert (document["id"], document["object"], document["status"]) == (
        *("img_1", "image.generation"),
        "completed",
    )
    assert document["prompt"] == {
        "original": "A cat",
        "used": "A cat",
        "optimized": False,
        "vendor_rewritten": "A C",
    }
    assert [one["reason"] for one in document["failed"]] == ["content_filtered"]
    assert [one["code"] for one in document["warnings"]] == ["emulated"]
    assert document["usage"]["tokens"] == {"input_tokens": 12, "output_tokens": 4_000}
    assert (document["usage"]["cost_micros"], document["usage"]["currency"]) == (200_000, "CNY")
    assert document["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-llm-api-warnings"] == "negative_prompt=emulated"


def test_base64_is_that_of_the_files(generate: Ask, studio: Studio) -> None:
    other = b"another picture"
    studio.outcome = job_of(2)
    studio.contents = {"file_00000001": other.ljust(len(BYTES))}

    answer = generate(response_format="b64_json")

    found = [base64.b64decode(item["b64_json"]) for item in answer.get_json()["data"]]
    assert found == [BYTES, other.ljust(len(BYTES))]
    assert [item["url"] for item in answer.get_json()["data"]] == [None, None]
    assert answer.content_length == len(answer.data)


def test_a_file_that_cannot_be_read_is_an_error_and_no_broken_answer(
    generate: Ask, studio: Studio
) -> None:
    studio.contents = {"file_00000000": Unavailable("Away.", reason="store_unavailable")}

    answer = generate(response_format="b64_json")

    assert answer.status_code == 503


def test_a_job_that_goes_on_is_a_202_with_its_address(generate: Ask, studio: Studio) -> None:
    studio.outcome = RUNNING

    answer = generate(wait_ms=0)

    document = answer.get_json()
    assert answer.status_code == 202
    assert (document["object"], document["status"], document["result"]) == (
        *("image.task", "running"),
        None,
    )
    assert document["poll_url"] == answer.headers["Location"] == "/api/v1/images/tasks/img_1"
    assert document["poll_after_ms"] == 2_000
    assert studio.asked[0].options["wait"] == 0.0


@pytest.mark.parametrize(
    ("prefer", "body", "wait", "applied"),
    [
        ("wait=10", {}, 10.0, "wait=10"),
        ("respond-async, wait=10", {}, 10.0, "wait=10"),
        ("respond-async", {}, 0.0, "respond-async"),
        ('wait="20"', {}, 20.0, "wait=20"),
        ("wait=99999", {}, 600.0, "wait=600"),
        ("wait=10", {"wait_ms": 5_000}, 5.0, None),
        ("return=minimal", {}, 300.0, None),
        ("wait=soon", {}, 300.0, None),
    ],
)
def test_prefer_says_how_long_to_wait(
    generate: Ask, studio: Studio, prefer: str, body: dict[str, Any], wait: float, applied: str
) -> None:
    answer = generate(**body, headers={"Prefer": prefer})

    assert studio.asked[0].options["wait"] == wait
    assert answer.headers.get("Preference-Applied") == applied


def test_the_wait_ends_before_the_client_gives_up(generate: Ask, studio: Studio) -> None:
    generate(headers={"X-Request-Timeout": "100"})

    assert studio.asked[0].options["wait"] == 95.0


def test_the_error_of_a_job_is_the_answer(generate: Ask, studio: Studio) -> None:
    studio.outcome = UpstreamFault("No picture.", reason="no_image_returned")

    answer = generate()

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (502, "SERVICE_ERROR")


def test_the_rewriting_is_asked_for_with_its_options(generate: Ask, studio: Studio) -> None:
    generate(optimize_prompt=True, optimize_options={"style": "watercolor", "language": None})

    optimize = studio.asked[0].options["optimize"]
    assert (optimize.prompt, optimize.type, optimize.style) == ("A cat", "image", "watercolor")
    assert (optimize.language, optimize.enhance_details) == ("auto", True)


def test_no_rewriting_is_the_default(generate: Ask, studio: Studio) -> None:
    generate(callback_url="https://host/hook")

    assert studio.asked[0].options["optimize"] is None
    assert studio.asked[0].options["callback_url"] == "https://host/hook"


def test_a_preview_shows_the_request_and_makes_nothing(generate: Ask, studio: Studio) -> None:
    answer = generate(preview=True, images=[DATA_URI])

    document = answer.get_json()
    assert (answer.status_code, document["object"]) == (200, "image.preview")
    assert document["requests"][0]["body"] == {"prompt": "A cat"}
    assert "on_job" not in studio.asked[0].options
    assert studio.inputs_of_requests[0].is_discarded


def test_pictures_are_read_wherever_they_are(generate: Ask, studio: Studio) -> None:
    mine = ["/api/v1/files/file_11111111", "http://localhost/api/v1/files/file_22222222"]

    generate(images=[DATA_URI, "https://host/a.png", "file_00000000", *mine], mask=DATA_URI)

    inputs = studio.inputs_of_requests[0]
    assert inputs.read_pictures == [("images[0]", BYTES), ("mask", BYTES)]
    assert inputs.fetched == [("images[1]", "https://host/a.png")]
    assert [file_id for _, file_id in inputs.own_files] == [f"file_{digit * 8}" for digit in "012"]
    request = studio.asked[0].request
    assert (len(request.references), request.mask is not None, request.is_edit) == (5, True, True)


def test_what_was_read_is_discarded_where_another_picture_is_wrong(
    generate: Ask, studio: Studio
) -> None:
    bad = "data:image/png;base64," + base64.b64encode(b"bad").decode()

    answer = generate(images=[DATA_URI, bad])

    assert answer.get_json()["error"]["details"]["reason"] == "invalid_image"
    assert studio.inputs_of_requests[0].is_discarded


def test_pictures_are_limited_alone_and_together(generate: Ask) -> None:
    sizes = (13_400_000, 13_200_000, 800_000)
    large, mine, small = ("data:image/png;base64," + "A" * size for size in sizes)

    one, many = (generate(images=images) for images in ([large], [mine] * 5))
    too_many = generate(images=[*[mine] * 5, small])

    assert one.get_json()["error"]["message"] == "images[0]: must be at most 10 MB."
    assert many.status_code == 200
    assert too_many.get_json()["error"]["message"].startswith("images[5]: must be at most 50 MB")


def test_the_sketch_says_what_it_is(generate: Ask, studio: Studio) -> None:
    details = {"kind": "layout_sketch", "drawn": ["1 cat"], "not_drawn": ["fog"]}
    usage = MadeUsage(1, raw=details)
    studio.outcome = job_of(kind="layout_sketch", details=details, usage=usage)

    document = generate().get_json()

    assert {name: document[name] for name in details} == details
    assert document["usage"]["vendor"] == {}


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_base64_of_a_request_is_not_held_while_its_pictures_are_made(
    client: FlaskClient, studio: Studio, monkeypatch: pytest.MonkeyPatch, *, wrapped: bool
) -> None:
    picture = InputPicture("in", "image/png", 64, 48, 10)
    monkeypatch.setattr(Inputs, "read", lambda *_: picture)
    sizes: list[int] = []
    studio.on_generate = lambda: sizes.append(tracemalloc.get_traced_memory()[0])
    uri = "data:image/png;base64," + "A" * 8_000_000
    body = {"prompt": "A cat", "images": [{"image_url": uri}] if wrapped else [uri]}
    path = GENERATIONS if wrapped else GENERATE
    sent = json.dumps(body).encode()
    del uri, body

    tracemalloc.start()
    answer = client.post(path, data=sent, content_type="application/json")
    tracemalloc.stop()

    assert answer.status_code == 200, answer.text
    assert sizes[0] < 4_000_000


def test_tags_of_the_body_stand_beside_those_of_the_header(generate: Ask, studio: Studio) -> None:
    answer = generate(headers={"X-Usage-Tags": "team=video"}, tags=["shop", "team=video"])

    assert answer.status_code == HTTPStatus.OK
    assert studio.asked[-1].options["caller"].tags == ",shop,team=video,"


def test_tags_are_ten_at_most_in_both_places(generate: Ask, studio: Studio) -> None:
    header = {"X-Usage-Tags": ",".join(f"a{n}" for n in range(6))}

    error = generate(headers=header, tags=[f"b{n}" for n in range(6)]).get_json()["error"]

    assert error["details"]["errors"][0]["field"] == "tags"
    assert studio.asked == []
