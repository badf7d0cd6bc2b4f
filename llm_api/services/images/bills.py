"""What pictures cost: at most before they are made, and when their job has ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from llm_api.domain.made_bills import PictureBill
from llm_api.domain.making import FittedRequest
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.jobs.accounts import dearest
from llm_api.services.jobs.job_models import JobDestination
from llm_api.services.jobs.rows import usage_of
from llm_api.services.pricing import MadeCost, PriceList
from llm_api.services.quotas.budgets import MakingNeeds
from llm_api.services.quotas.estimates import estimate_text

# Of a picture of a model that counts tokens; one of 1024 x 1024 in high quality takes about 6,000.
ASSUMED_PICTURE_TOKENS = 6_240
_PIXELS_OF_THEM = 1_048_576
_INPUT_PICTURE_TOKENS = 1_600


def needs_of(
    fitted: Sequence[FittedRequest], at: JobDestination, prices: PriceList, now: datetime
) -> MakingNeeds:
    """Return what a call needs at most, at the dearest of the models that may be asked.

    `fitted` has the request in the terms of the first model, and of those that follow it.
    """
    cost, count = dearest([_most(one, prices, now) for one in fitted]), sum(fitted[0].parts)
    return MakingNeeds(at.model, count, max(map(_most_tokens, fitted)), cost, at.limits)


def _most(fitted: FittedRequest, prices: PriceList, now: datetime) -> MadeCost | None:
    pixels = fitted.size.pixels if fitted.size is not None else None
    count = sum(fitted.parts)
    bill = PictureBill(
        (pixels,) * count,
        fitted.fields.get("quality"),
        len(fitted.references) * len(fitted.parts),
        _input_tokens(fitted),
        _output_tokens(fitted),
        _image_tokens(fitted),
    )
    return prices.picture_cost(fitted.model, bill, now.date(), at_most=True)


def _input_tokens(fitted: FittedRequest) -> int:
    return estimate_text([fitted.prompt]) * len(fitted.parts) + _image_tokens(fitted)


def _image_tokens(fitted: FittedRequest) -> int:
    inputs = len(fitted.references) + (fitted.mask is not None)
    return inputs * _INPUT_PICTURE_TOKENS * len(fitted.parts)


def _output_tokens(fitted: FittedRequest) -> int:
    pixels = fitted.size.pixels if fitted.size is not None else _PIXELS_OF_THEM
    each = ASSUMED_PICTURE_TOKENS * max(1.0, pixels / _PIXELS_OF_THEM)
    return round(each * sum(fitted.parts))


def _most_tokens(fitted: FittedRequest) -> int:
    return _input_tokens(fitted) + _output_tokens(fitted)


def cost_of(document: ImageDocument, prices: PriceList, at: datetime) -> MadeCost | None:
    """See JobAccounts; pictures that were refused or failed cost nothing."""
    usage = usage_of(document.parts)
    pixels: list[int | None] = []
    for part in document.parts:
        kept = [one.width * one.height for one in part.kept]
        asked = document.fitted.size.pixels if document.fitted.size is not None else None
        pixels += [*kept, *[asked] * (part.delivered - len(kept))]
    bill = PictureBill(
        tuple(pixels),
        document.fitted.fields.get("quality"),
        usage.input_images,
        usage.input_tokens,
        usage.output_tokens,
        usage.input_image_tokens,
    )
    return prices.picture_cost(document.fitted.model, bill, at.date())


def details_of(document: ImageDocument) -> dict[str, Any]:
    """See JobAccounts."""
    usage = usage_of(document.parts)
    return {
        "pixels": usage.pixels,
        "input_images": usage.input_images,
        "quality": document.fitted.fields.get("quality"),
    }
