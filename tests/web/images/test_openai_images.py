"""`POST /v1/images/generations` and `/edits`, as clients send them and read the answers."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from llm_api.domain.images import SizePolicy
from llm_api.domain.making import MadeUsage, Notice, Size
from llm_api.errors import InvalidRequest, UpstreamFault
from tests.web.images.conftest import EDITS, Ask
from tests.web.images.studio import BYTES, DATA_URI, FAILURE, NOTICE, RUNNING, Studio, job_of

# What clients send, as captured: openai-python, the AI SDK, LangChain, Open WebUI, LobeChat.
CAPTURED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"model": None, "size": None, "n": 1}),
    ({"seed": 7, "negative_prompt": "x"}, {"seed": 7, "negative_prompt": "x"}),
    ({"model": "m", "n": 1, "response_format": "b64_json"}, {"model": "m"}),
    ({"n": 1, "size": "1024x1024", "quality": "standard"}, {"quality": "standard"}),
    ({"model": "m", "n": 1, "size": "512x512", "steps": 20}, {"size": Size(512, 512)}),
    ({"size": "auto", "input_fidelity": "high"}, {"size": None}),
    ({"size": "2K"}, {"resolution": "2K", "size": None}),
    ({"seed": -1}, {"seed": None}),
    ({"output_format": "jpg", "negative_prompt": ""}, {"output_format": "jpeg"}),
    ({"n": None, "size": None, "user": None, "style": None}, {"extra": {}}),
    ({"style": "vivid", "moderation": "low"}, {"extra": {"style": "vivid", "moderation": "low"}}),
]


@pytest.mark.parametrize(("body", "expected"), CAPTURED)
def test_what_clients_send_is_taken(
    generations: Ask, studio: Studio, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = generations(**body)

    request = studio.asked[0].request
    assert answer.status_code == 200
    assert {name: getattr(request, name) for name in expected} == expected
    assert request.size_policy is SizePolicy.NEAREST


WRONG = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"n": 0}, "n"),
    ({"n": 11}, "n"),
    ({"size": "large"}, "size"),
    ({"response_format": "png"}, "response_format"),
    ({"partial_images": 4}, "partial_images"),
    ({"image": "ftp://host/a"}, "image[0]"),
    ({"image": [DATA_URI] * 17}, "image"),
    ({"wait_ms": 0}, "wait_ms"),
    ({"optimize_prompt": True, "prompt": "x" * 4_001}, "prompt"),
    ({"mask": DATA_URI}, "mask"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_is_wrong_is_refused_in_the_sdks_shape(
    generations: Ask, studio: Studio, body: dict[str, Any], field: str
) -> None:
    answer = generations(**body)

    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == field
    assert answer.headers["x-should-retry"] == "false"
    assert studio.asked == []


def test_the_bytes_are_the_default(generations: Ask, studio: Studio) -> None:
    studio.outcome = job_of(2)

    document = generations().get_json()

    assert [base64.b64decode(one["b64_json"]) for one in document["data"]] == [BYTES, BYTES]
    assert [set(one) for one in document["data"]] == [{"b64_json"}] * 2
    assert (document["size"], document["output_format"]) == ("64x48", "png")
    assert (document["id"], document["model"]) == ("img_1", "qwen-image")
    assert not {"usage", "failed", "warnings", "kind"} & set(document)


def test_a_link_is_on_the_origin_of_the_request(generations: Ask) -> None:
    document = generations(response_format="url").get_json()

    assert document["data"] == [{"url": "http://localhost/api/v1/files/file_00000000"}]


def test_a_link_is_asked_for_in_the_query_where_a_client_has_no_other_way(
    client: FlaskClient,
) -> None:
    path = "/v1/images/generations?response_format="

    answers = [
        client.post(f"{path}url", json={"prompt": "A cat"}),
        client.post(f"{path}url", json={"prompt": "A cat", "response_format": "b64_json"}),
        client.post(f"{path}png", json={"prompt": "A cat"}),
    ]

    assert [set(answer.get_json()["data"][0]) for answer in answers[:2]] == [{"url"}, {"b64_json"}]
    assert answers[2].get_json()["error"]["param"] == "response_format"


def test_tokens_are_told_where_they_are_known(generations: Ask, studio: Studio) -> None:
    details = {"text_tokens": 12, "image_tokens": 0}
    raw = {"input_tokens_details": details, "other": 1}
    studio.outcome = job_of(usage=MadeUsage(1, input_tokens=12, output_tokens=4_000, raw=raw))

    assert generations().get_json()["usage"] == {
        "input_tokens": 12,
        "output_tokens": 4_000,
        "total_tokens": 4_012,
        "input_tokens_details": details,
    }


def test_the_prompt_that_was_used_is_told_after_a_rewrite(generations: Ask, studio: Studio) -> None:
    studio.outcome = job_of(is_optimized=True, prompt_used="A gray cat")

    document = generations(optimize_prompt=True).get_json()

    assert document["data"][0]["revised_prompt"] == "A gray cat"
    assert studio.asked[0].options["optimize"].prompt == "A cat"


def test_pictures_that_failed_are_no_items_of_data(generations: Ask, studio: Studio) -> None:
    studio.outcome = job_of(failed=(FAILURE,))

    document = generations(n=2).get_json()

    assert len(document["data"]) == 1
    assert document["failed"][0]["reason"] == "content_filtered"


def test_nothing_is_dropped_in_silence(generations: Ask, studio: Studio) -> None:
    dropped = Notice("style", "dropped", "The model has no such field.")
    studio.outcome = job_of(notices=(NOTICE, dropped))

    answer = generations(
        style="vivid", partial_images=2, seed=2**40 + 5, big="x" * 5_000, optimize_options={}
    )

    assert answer.headers["x-dropped-params"] == "big,partial_images,optimize_options,style"
    assert answer.headers["x-llm-api-warnings"] == (
        "big=dropped, partial_images=dropped, optimize_options=dropped, seed=adapted,"
        " negative_prompt=emulated, style=dropped"
    )
    assert len(answer.get_json()["warnings"]) == 6
    assert studio.asked[0].request.seed == 5


def test_the_end_user_is_hashed(generations: Ask, studio: Studio) -> None:
    generations(user="ann@example.org")
    generations(safety_identifier="ann@example.org")

    first, second = (asked.request.user for asked in studio.asked)
    assert first == second
    assert "ann" not in str(first)


def test_a_filtered_prompt_has_the_words_that_clients_know(
    generations: Ask, studio: Studio
) -> None:
    studio.outcome = InvalidRequest("It was refused.", reason="content_filtered")

    answer = generations()

    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (
        *(400, "image_generation_user_error"),
        "moderation_blocked",
    )
    assert error["details"]["reason"] == "content_filtered"


@pytest.mark.parametrize(("charged", "header"), [(True, "false"), (False, None)])
def test_what_may_be_paid_is_not_repeated(
    generations: Ask, studio: Studio, *, charged: bool, header: str | None
) -> None:
    error = UpstreamFault("It broke.", reason="upstream_error", retryable=True)
    studio.outcome = error.replaced(may_have_charged=charged)

    answer = generations()

    assert answer.status_code == 502
    assert answer.headers.get("x-should-retry") == header


def test_a_wait_that_is_over_is_an_error_and_never_a_202(generations: Ask, studio: Studio) -> None:
    studio.outcome = RUNNING

    answer = generations(wait_ms=1_000, headers={"Prefer": "respond-async"})

    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"]) == (504, "image_pending")
    assert "/api/v1/images/tasks/img_1" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert studio.asked[0].options["wait"] == 1.0


def test_pictures_that_were_deleted_are_an_error_and_no_empty_answer(
    generations: Ask, studio: Studio
) -> None:
    studio.outcome = job_of(0)

    answers = [generations(), generations(stream=True)]

    assert answers[0].get_json()["error"]["code"] == "file_not_found"
    assert b'"code":"file_not_found"' in answers[1].data


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, 600.0), ({"Prefer": "wait=20"}, 20.0), ({"x-stainless-read-timeout": "100"}, 95.0)],
)
def test_the_wait_is_as_long_as_clients_have_patience(
    generations: Ask, studio: Studio, headers: dict[str, str], wait: float
) -> None:
    generations(headers=headers)

    assert studio.asked[0].options["wait"] == wait


@pytest.mark.parametrize(
    "image",
    [
        {"image": DATA_URI},
        {"image": [DATA_URI]},
        {"images": [{"image_url": DATA_URI}]},
        {"images": [{"image_url": {"url": DATA_URI}}]},
        {"image[]": [DATA_URI]},
    ],
)
def test_an_edit_in_json_finds_its_picture(
    client: FlaskClient, studio: Studio, image: dict[str, Any]
) -> None:
    answer = client.post(EDITS, json={"prompt": "Make it blue", **image})

    assert answer.status_code == 200
    assert studio.inputs_of_requests[0].read_pictures == [("image", BYTES)]
    assert studio.asked[0].request.is_edit


def test_own_files_are_named_by_id_or_link(client: FlaskClient, studio: Studio) -> None:
    mine = [{"file_id": "file_00000001"}, "http://localhost/api/v1/files/file_00000002"]

    client.post(EDITS, json={"prompt": "Join them", "images": mine})

    assert studio.inputs_of_requests[0].own_files == [
        ("image[0]", "file_00000001"),
        ("image[1]", "file_00000002"),
    ]


def test_an_edit_needs_a_picture(client: FlaskClient) -> None:
    answer = client.post(EDITS, json={"prompt": "Make it blue"})

    assert answer.get_json()["error"]["message"] == "image: is required."


def test_a_mask_is_for_the_first_picture(client: FlaskClient, studio: Studio) -> None:
    client.post(EDITS, json={"prompt": "x", "image": DATA_URI, "mask": DATA_URI})

    assert studio.inputs_of_requests[0].mask_sizes == [Size(64, 48)]


@pytest.mark.parametrize("mask", ["https://host/a.png", "file_00000001", 5])
def test_a_mask_comes_with_the_request(client: FlaskClient, mask: object) -> None:
    answer = client.post(EDITS, json={"prompt": "x", "image": DATA_URI, "mask": mask})

    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "mask")


def test_variations_are_no_more(client: FlaskClient) -> None:
    answer = client.post("/v1/images/variations", data={"image": "x"})

    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"]) == (404, "not_supported")
    assert "/v1/images/edits" in error["message"]


@pytest.mark.parametrize("path", ["/images/generations", "/v1/v1/images/edits"])
def test_a_wrong_base_address_is_explained(client: FlaskClient, path: str) -> None:
    message = client.post(path, json={}).get_json()["error"]["message"]

    assert message.endswith(f"/v1/images/{path.rpartition('/')[2]} is one.")
