"""What the pages of the playground show of this installation: targets, models, the judge."""

from collections.abc import Mapping

from flask import current_app, g

from llm_api.domain.calls import IMAGE
from llm_api.services.judge import DIMENSIONS
from llm_api.web.request.context import services
from llm_api.web.rest.target_schemas import MAX_TARGETS, TARGETS_OF


def of_prompts() -> Mapping[str, object]:
    """Return the target models by what they make, and how many a request may name."""
    return {"targets_of": TARGETS_OF, "max_targets": MAX_TARGETS}


def of_pictures() -> Mapping[str, object]:
    """Return the names of the image models; strangers are told none."""
    key = g.request_state.key
    if key is None and current_app.config["REQUIRE_API_KEY"]:
        return {"image_models": []}
    models = services().catalogue.all_models(key)
    return {"image_models": [model.id for model in models if model.kind == IMAGE]}


def of_judge() -> Mapping[str, object]:
    """Return whether a vision model judges, and on what."""
    return {"has_vision": services().judge.has_vision, "dimensions": DIMENSIONS}
