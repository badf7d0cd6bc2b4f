"""What the pages of the playground show of this installation: targets, models, the judge."""

from collections.abc import Mapping

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import IMAGE
from llm_api.services.judge import DIMENSIONS
from llm_api.web.request.context import services
from llm_api.web.rest.target_schemas import MAX_TARGETS, TARGETS_OF

Offer = Mapping[str, object]


def of_prompts(_: ApiKey | None) -> Offer:
    """Return the target models by what they make, and how many a request may name."""
    return {"targets_of": TARGETS_OF, "max_targets": MAX_TARGETS}


def of_pictures(key: ApiKey | None) -> Offer:
    """Return the names of the image models that a key may use."""
    models = services().catalogue.all_models(key)
    return {"image_models": [model.id for model in models if model.kind == IMAGE]}


def of_judge(_: ApiKey | None) -> Offer:
    """Return whether a vision model judges, and on what."""
    return {"has_vision": services().judge.has_vision, "dimensions": DIMENSIONS}


def of_nothing(_: ApiKey | None) -> Offer:
    """Return nothing: what a page shows comes from its script's calls alone."""
    return {}
