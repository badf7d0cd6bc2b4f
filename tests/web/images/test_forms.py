"""Edits as forms: the names and types of clients, limits, and what must not vanish."""

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.web.making.picture_bodies import MAX_PARTS, MAX_PICTURES_BODY_BYTES
from tests.web.images.conftest import EDITS, GENERATIONS
from tests.web.images.studio import BYTES, DATA_URI, Studio

OTHER = b"\xff\xd8other\r\n--picture\r\n" * 9
Part = tuple[str, bytes | str, str | None]


def form(*parts: Part, boundary: str = "x1y2z3") -> tuple[bytes, dict[str, str]]:
    """Write a form: parts with a file name are files."""
    body = b""
    for name, content, file_name in parts:
        disposition = f'Content-Disposition: form-data; name="{name}"'
        if file_name is not None:
            # As openai-python announces bytes: the type is to be seen from them.
            disposition += f'; filename="{file_name}"\r\nContent-Type: application/octet-stream'
        data = content.encode() if isinstance(content, str) else content
        body += f"--{boundary}\r\n{disposition}\r\n\r\n".encode() + data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def send(client: FlaskClient, *parts: Part, path: str = EDITS, **options: Any) -> TestResponse:
    """Send a form."""
    body, headers = form(*parts, **options)
    return client.post(path, data=body, headers=headers)


PROMPT: Part = ("prompt", "Make it blue", None)


def test_a_form_is_taken_as_openai_python_sends_it(client: FlaskClient, studio: Studio) -> None:
    fields = [("model", "m", None), ("n", "2", None), ("size", "1024x1024", None)]
    mask: Part = ("mask", BYTES, "mask.png")

    answer = send(
        client, PROMPT, *fields, ("image[]", BYTES, "a.png"), ("image[]", OTHER, "upload"), mask
    )

    assert answer.status_code == 200
    request = studio.asked[0].request
    assert (request.prompt, request.model, request.n) == ("Make it blue", "m", 2)
    assert studio.inputs_of_requests[0].read_pictures == [
        ("image[0]", BYTES),
        ("image[1]", OTHER),
        ("mask", BYTES),
    ]
    assert (len(request.references), request.mask is not None) == (2, True)


@pytest.mark.parametrize(
    "names",
    [
        ("image", "image"),
        ("image[]", "image[]"),
        ("image[0]", "image[1]"),
        ("images", "images"),
        ("images[0]", "images[1]"),
        ("image", "image[]"),
    ],
)
def test_pictures_are_found_under_every_name(
    client: FlaskClient, studio: Studio, names: tuple[str, str]
) -> None:
    send(client, (names[0], BYTES, "a"), PROMPT, (names[1], OTHER, "b"))

    read = [data for _, data in studio.inputs_of_requests[0].read_pictures]
    assert read == [BYTES, OTHER]


def test_numbered_pictures_have_their_order(client: FlaskClient, studio: Studio) -> None:
    send(client, PROMPT, ("image[1]", OTHER, "b"), ("image[0]", BYTES, "a"))

    assert [data for _, data in studio.inputs_of_requests[0].read_pictures] == [BYTES, OTHER]


@pytest.mark.parametrize("name", ["input_reference", "first_frame", "image1", "video[]", "file"])
def test_a_file_that_no_model_would_get_is_refused(
    client: FlaskClient, studio: Studio, name: str
) -> None:
    answer = send(client, PROMPT, ("image", BYTES, "a.png"), (name, OTHER, "b.png"))

    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "unknown_field", name)
    assert studio.asked == []


def test_texts_are_read_as_what_they_stand_for(client: FlaskClient, studio: Studio) -> None:
    texts = {"stream": "false", "seed": "7", "watermark": "true", "output_compression": "80"}
    texts |= {"d[a][]": "1", "input_fidelity": "high"}

    answer = send(
        client, PROMPT, ("image", DATA_URI, None), *((n, v, None) for n, v in texts.items())
    )

    request = studio.asked[0].request
    assert answer.status_code == 200
    assert (request.seed, request.watermark, request.output_compression) == (7, True, 80)
    assert request.extra == {"d[a][]": "1", "input_fidelity": "high"}


@pytest.mark.parametrize("text", ["", "null"])
def test_what_stands_for_nothing_is_left_out(
    client: FlaskClient, studio: Studio, text: str
) -> None:
    names = ("n", "size", "quality", "background", "seed", "stream", "mask", "of_the_vendor")

    answer = send(client, PROMPT, ("image", BYTES, "a.png"), *((n, text, None) for n in names))

    request = studio.asked[0].request
    assert answer.status_code == 200
    assert (request.n, request.size, request.quality, request.mask) == (1, None, None, None)
    assert request.extra == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"optimize_options": '{"style": "watercolor", "enhance_details": false}'},
        {"optimize_options[style]": "watercolor", "optimize_options[enhance_details]": "false"},
    ],
    ids=["json", "openai-python"],
)
def test_a_form_has_options_of_the_optimizer(
    client: FlaskClient, studio: Studio, fields: dict[str, str]
) -> None:
    fields |= {"optimize_prompt": "true"}

    answer = send(
        client, PROMPT, ("image", BYTES, "a.png"), *((n, v, None) for n, v in fields.items())
    )

    wanted = studio.asked[0].options["optimize"]
    assert answer.status_code == 200
    assert (wanted.style, wanted.enhance_details) == ("watercolor", False)


def test_options_that_are_none_are_refused(client: FlaskClient) -> None:
    answer = send(
        client, PROMPT, ("image", BYTES, "a.png"), ("optimize_options", "watercolor", None)
    )

    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "optimize_options")


@pytest.mark.parametrize(
    ("name", "value"), [("n", "two"), ("stream", "maybe"), ("n", "2.5"), ("seed", "9" * 30)]
)
def test_a_text_that_stands_for_nothing_is_refused(
    client: FlaskClient, name: str, value: str
) -> None:
    answer = send(client, PROMPT, ("image", BYTES, "a.png"), (name, value, None))

    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, name)


def test_an_empty_mask_is_none(client: FlaskClient, studio: Studio) -> None:
    send(client, PROMPT, ("image", BYTES, "a.png"), ("mask", "", None))

    assert studio.asked[0].request.mask is None


def test_a_text_that_comes_twice_is_refused(client: FlaskClient) -> None:
    answer = send(client, PROMPT, PROMPT, ("image", BYTES, "a.png"))

    assert answer.get_json()["error"]["message"] == "prompt: must be a string."


def test_references_may_come_as_files_too(client: FlaskClient, studio: Studio) -> None:
    answer = send(client, PROMPT, ("image", BYTES, "a.png"), path=GENERATIONS)

    assert answer.status_code == 200
    assert not studio.asked[0].request.is_edit
    assert len(studio.asked[0].request.references) == 1


def test_a_large_file_arrives_whole(client: FlaskClient, studio: Studio) -> None:
    large = bytes(range(256)) * (9_000_000 // 256)

    answer = send(client, PROMPT, ("image", large, "a.png"))

    assert answer.status_code == 200
    assert studio.inputs_of_requests[0].read_pictures == [("image", large)]


def test_a_file_over_the_limit_is_refused(client: FlaskClient) -> None:
    answer = send(client, PROMPT, ("image", b"x" * 10_000_001, "a.png"))

    assert answer.get_json()["error"]["message"] == "image: must be at most 10 MB."


@pytest.mark.parametrize("announced", [True, False])
def test_a_form_over_the_limit_is_refused(client: FlaskClient, *, announced: bool) -> None:
    body, headers = form(("image", b"x" * MAX_PICTURES_BODY_BYTES, "a.png"))
    # A body in chunks, as gunicorn hands it on.
    chunked = {"environ_overrides": {"wsgi.input_terminated": True}}
    sent: dict[str, Any] = {"data": body} if announced else {"input_stream": io.BytesIO(body)}

    answer = client.post(EDITS, headers=headers, **sent, **({} if announced else chunked))

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "parts",
    [
        [(f"f{i}", "x", None) for i in range(MAX_PARTS + 1)],
        [("prompt", "x" * ((1 << 20) + 1), None)],
    ],
)
def test_too_many_or_too_long_texts_are_refused(client: FlaskClient, parts: list[Part]) -> None:
    answer = send(client, *parts)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "form_invalid")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=é"],
)
def test_a_form_without_a_boundary_is_refused(client: FlaskClient, content_type: str) -> None:
    answer = client.post(EDITS, data=b"x", headers={"Content-Type": content_type})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "form_invalid")


def test_a_form_that_breaks_off_is_refused(client: FlaskClient, studio: Studio) -> None:
    body, headers = form(PROMPT, ("image", BYTES, "a.png"))

    answers = [client.post(EDITS, data=body[:-at], headers=headers) for at in (20, 90, 200)]

    assert [answer.status_code for answer in answers] == [400] * 3
    assert studio.asked == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_type_is_refused(client: FlaskClient, content_type: str) -> None:
    answer = client.post(EDITS, data=b"prompt=x", headers={"Content-Type": content_type})

    assert answer.status_code == 415
    assert "multipart/form-data" in answer.get_json()["error"]["message"]
