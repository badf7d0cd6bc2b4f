"""Pictures as events: at once, with pings, with the error last, and for vendors without events."""

import base64
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.errors import InvalidRequest, Unavailable, UpstreamFault
from llm_api.upstream.media.vendor_protocol import Preview
from llm_api.web.openai.images import image_stream
from tests.web.images.conftest import EDITS, Ask
from tests.web.images.studio import (
    BYTES,
    DATA_URI,
    FAILURE,
    NOTICE,
    PIXEL,
    RUNNING,
    Studio,
    job_of,
)


def events_of(answer: TestResponse) -> list[tuple[str, dict[str, Any]]]:
    """Read the events: their names, empty for none, and their data."""
    assert answer.content_type == "text/event-stream; charset=utf-8"
    found = []
    for block in answer.data.decode().removesuffix("\n\n").split("\n\n"):
        if not block.startswith(":"):
            *name, data = block.split("\n")
            found.append(
                ("".join(name).removeprefix("event: "), json.loads(data.removeprefix("data: ")))
            )
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ping as fast as can be."""
    monkeypatch.setattr(image_stream, "PING_S", 0.01)


def test_each_picture_is_an_event(generations: Ask, studio: Studio) -> None:
    studio.outcome = job_of(2, failed=(FAILURE,), notices=(NOTICE,))

    (first, one), (second, two) = events_of(generations(stream=True))

    assert first == second == one["type"] == two["type"] == "image_generation.completed"
    assert base64.b64decode(one["b64_json"]) == base64.b64decode(two["b64_json"]) == BYTES
    assert (one["size"], one["output_format"], one["quality"]) == ("64x48", "png", "auto")
    assert "failed" not in one
    assert two["failed"][0]["reason"] == "content_filtered"
    assert two["warnings"][0]["code"] == "emulated"


def test_links_are_streamed_where_they_are_asked_for(generations: Ask) -> None:
    ((_, event),) = events_of(generations(stream=True, response_format="url"))

    assert event["url"] == "http://localhost/api/v1/files/file_00000000"
    assert "b64_json" not in event


def test_previews_come_before_the_pictures(generations: Ask, studio: Studio) -> None:
    studio.previews = [Preview(PIXEL.encode(), 0), Preview(PIXEL.encode(), 1)]

    events = events_of(generations(stream=True, partial_images=2))

    kinds = ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [name for name, _ in events] == kinds
    assert [event["partial_image_index"] for _, event in events[:2]] == [0, 1]
    assert studio.asked[0].request.partial_images == 2


def test_an_edit_has_names_of_its_own(client: FlaskClient, studio: Studio) -> None:
    studio.previews = [Preview(PIXEL.encode())]
    body = {"prompt": "Make it blue", "image": DATA_URI, "stream": True}

    names = [name for name, _ in events_of(client.post(EDITS, json=body))]

    assert names == ["image_edit.partial_image", "image_edit.completed"]


def test_what_is_refused_before_there_is_a_job_is_a_plain_error(
    generations: Ask, studio: Studio
) -> None:
    studio.begins = False
    studio.outcome = Unavailable("No model.", reason="image_model_not_configured", retryable=False)

    answer = generations(stream=True)

    assert (answer.status_code, answer.content_type) == (503, "application/json")


@pytest.mark.parametrize("outcome", [UpstreamFault("None.", reason="no_image_returned"), RUNNING])
def test_the_failure_of_all_is_the_last_event(
    generations: Ask, studio: Studio, outcome: Any
) -> None:
    studio.outcome = outcome

    answer = generations(stream=True)

    ((name, event),) = events_of(answer)
    assert (answer.status_code, name) == (200, "")
    assert event["error"]["code"] in {"no_image_returned", "image_pending"}
    assert event["error"]["details"]["request_id"] == answer.headers["x-request-id"]


def test_a_filtered_prompt_has_the_words_that_clients_know(
    generations: Ask, studio: Studio
) -> None:
    studio.outcome = InvalidRequest("It was refused.", reason="content_filtered")

    ((_, event),) = events_of(generations(stream=True))

    assert event["error"]["type"] == "image_generation_user_error"
    assert event["error"]["code"] == "moderation_blocked"


def test_a_bug_is_an_error_and_no_end_of_the_stream(generations: Ask, studio: Studio) -> None:
    studio.outcome = RuntimeError("a bug")

    ((_, event),) = events_of(generations(stream=True))

    assert event["error"]["code"] == "internal_error"
    assert "a bug" not in str(event)


def test_a_stream_begins_with_its_job(generations: Ask, studio: Studio) -> None:
    studio.gate.clear()
    pieces = generations(stream=True).iter_encoded()

    first = next(pieces)
    studio.gate.set()

    assert first == b": ping\n\n"
    assert b"event: image_generation.completed\n" in b"".join(pieces)


def test_a_silence_is_filled_with_pings(generations: Ask, studio: Studio, impatient: None) -> None:
    del impatient
    studio.gate.clear()
    answer = generations(stream=True)
    pieces = answer.iter_encoded()

    pings = [next(pieces), next(pieces)]
    studio.gate.set()
    rest = b"".join(pieces)

    assert pings == [b": ping\n\n"] * 2
    assert b"event: image_generation.completed\n" in rest


def test_a_stream_begins_also_where_a_job_is_long_in_coming(
    generations: Ask, studio: Studio, impatient: None
) -> None:
    del impatient
    studio.begins = False
    studio.gate.clear()

    answer = generations(stream=True)
    studio.gate.set()

    assert [name for name, _ in events_of(answer)] == ["image_generation.completed"]


def test_a_client_that_leaves_lets_the_job_go_on(
    generations: Ask, studio: Studio, impatient: None
) -> None:
    del impatient
    studio.gate.clear()
    answer = generations(stream=True)

    answer.close()
    studio.gate.set()

    assert studio.has_begun.is_set()
