"""Models that make films: they are listed, and refused where something else is wanted."""

from typing import Any

from flask.testing import FlaskClient

from tests.support.tables import each
from tests.web.videos.cinema import GENERATE, MODEL, OPENAI

CHAT = {"messages": [{"role": "user", "content": "Hello"}]}


def test_video_models_are_listed(client: FlaskClient) -> None:
    names = [one["id"] for one in client.get("/v1/models").get_json()["data"]]

    assert MODEL in names
    assert client.get(f"/v1/models/{MODEL}").get_json()["owned_by"] == "video"


@each(
    ("path", "body", "reason"),
    [
        ("/v1/chat/completions", {"model": MODEL, **CHAT}, "model_makes_films"),
        ("/v1/chat/completions", {"model": "painter", **CHAT}, "model_makes_images"),
        ("/v1/responses", {"model": MODEL, "input": "Hello"}, "model_makes_films"),
        ("/v1/images/generations", {"model": MODEL, "prompt": "A kite"}, "model_makes_films"),
        (GENERATE, {"model": "painter", "prompt": "A kite"}, "model_makes_images"),
        (OPENAI, {"model": "layout-sketch", "prompt": "A kite"}, "model_makes_images"),
        # FAST_LLM_MODEL
        (GENERATE, {"model": "scripted", "prompt": "A kite"}, "model_makes_text"),
        (OPENAI, {"model": "scripted", "prompt": "A kite"}, "model_makes_text"),
        ("/v1/images/generations", {"model": "scripted", "prompt": "A kite"}, "model_makes_text"),
    ],
)
def test_a_model_of_another_kind_is_refused_with_its_route(
    client: FlaskClient, path: str, body: dict[str, Any], reason: str
) -> None:
    answer = client.post(path, json=body)

    assert answer.get_json()["error"]["details"]["reason"] == reason
