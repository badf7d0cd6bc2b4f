"""What the pages of the playground show of this installation: targets, models, the judge."""

from collections.abc import Mapping, Sequence

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import IMAGE, VIDEO
from llm_api.errors import ApiError
from llm_api.services.judge import DIMENSIONS
from llm_api.web.console.film_offers import film_offer
from llm_api.web.request.context import services
from llm_api.web.rest.target_schemas import MAX_TARGETS, TARGETS_OF

Offer = Mapping[str, object]


def of_prompts(key: ApiKey | None) -> Offer:
    """Return the target models by what they make, and what a request or the next page takes."""
    has_films = bool(_film_models(key))
    return {"targets_of": TARGETS_OF, "max_targets": MAX_TARGETS, "has_films": has_films}


def of_pictures(key: ApiKey | None) -> Offer:
    """Return the names of the image models that a key may use."""
    models = services().catalogue.all_models(key)
    return {"image_models": [model.id for model in models if model.kind == IMAGE]}


def of_films(key: ApiKey | None) -> Offer:
    """Return the video models that a key may use, each with what it takes."""
    return {"film_models": _film_models(key)}


def of_judge(_: ApiKey | None) -> Offer:
    """Return whether a vision model judges, and on what."""
    return {"has_vision": services().judge.has_vision, "dimensions": DIMENSIONS}


def of_nothing(_: ApiKey | None) -> Offer:
    """Return nothing: what a page shows comes from its script's calls alone."""
    return {}


def _film_models(key: ApiKey | None) -> Sequence[Offer]:
    """Return what of each video model the page of films can ask for."""
    offers = []
    for model in services().catalogue.models(key):
        if model.kind != VIDEO:
            continue
        try:
            traits = services().videos.traits_of(model.id, key)
        except ApiError:  # its vendor's profile does not know it: no request could be written
            continue
        target = services().videos.target_of(model.id, key)
        offers.append(film_offer(model.id, traits, target))
    return offers
