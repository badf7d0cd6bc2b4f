"""A prompt that is rewritten for a picture has the form that its image model reads."""

import json

import pytest

from tests.conftest import AppOf
from tests.services.prompts.dialects.scenes import FOX_SCENE, FOX_TEXT, FOXES
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

FORMS = {
    "midjourney-v7": "two red foxes standing in the snow",
    "Ideogram-4.0": '{"high_level_description"',
    "bria/fibo": '{"short_description"',
    "FLUX.2-pro": FOX_TEXT,
    # It makes no new pictures: it is asked for one as its elder is.
    "qwen-image-edit-plus": FOX_TEXT,
    # Films are nothing for a picture.
    "veo": FOX_TEXT,
}


@pytest.mark.parametrize("model", FORMS)
def test_a_model_is_sent_its_own_form(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream, model: str
) -> None:
    image = {"API_URL": upstream.url, "API_KEY": "sk-a", "MODEL": model, "PROFILE": "generic"}
    client = app_of(
        upstream_env | {f"IMAGE_LLM_{name}": value for name, value in image.items()}
    ).test_client()
    reply = {"optimized_prompt": FOX_TEXT}
    upstream.script(replies.completion(json.dumps(reply | {"scene_en": FOX_SCENE})))
    body = {"prompt": FOXES, "optimize_prompt": True, "preview": True}

    answer = client.post("/api/v1/images/generate", json=body)

    assert answer.status_code == 200, answer.data
    assert answer.get_json()["requests"][0]["body"]["prompt"].startswith(FORMS[model])
    assert len(upstream.requests) == 1
