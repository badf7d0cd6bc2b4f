"""What pictures cost: at most before they are made, and when their job has ended."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from llm_api.domain.made_bills import PictureBill
from llm_api.domain.making import FittedRequest
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.jobs.document import UNKNOWN
from llm_api.services.jobs.job_models import JobDestination
from llm_api.services.jobs.rows import usage_of
from llm_api.services.pricing import PictureCost, PriceList
from llm_api.services.quotas.budgets import Cost, PictureNeeds
from llm_api.services.quotas.estimates import estimate_text

# Of a picture of a model that counts tokens; one of 1024 x 1024 in high quality takes about 6,000.
ASSUMED_PICTURE_TOKENS = 6_240
_PIXELS_OF_THEM = 1_048_576
_INPUT_PICTURE_TOKENS = 1_600


def needs_of(
    fitted: Sequence[FittedRequest], at: JobDestination, prices: PriceList, now: datetime
) -> PictureNeeds:
    """Return what a call needs at most, at the dearest of the models that may be asked.

    `fitted` has the request in the terms of the first model, and of those that follow it.
    """
    first = fitted[0]
    costs = [_most(one, prices, now) for one in fitted]
    known = [cost for cost in costs if cost is not None and cost.micro is not None]
    cost = None
    if costs[0] is not None and costs[0].micro is not None:
        same = [one.micro or 0 for one in known if one.currency == costs[0].currency]
        cost = Cost(max(same), costs[0].currency)
    return PictureNeeds(at.model, sum(first.parts), max(map(_most_tokens, fitted)), cost, at.limits)


def _most(fitted: FittedRequest, prices: PriceList, now: datetime) -> PictureCost | None:
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


def cost_of(document: ImageDocument, prices: PriceList, at: datetime) -> PictureCost | None:
    """Return what a job has cost; None where its model has no price.

    Pictures that were refused or failed cost nothing; where nobody can say whether some were made,
    the cost is unknown.
    """
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
    cost = prices.picture_cost(document.fitted.model, bill, at.date())
    if cost is not None and any(part.state == UNKNOWN for part in document.parts):
        return replace(cost, micro=None)
    return cost


def details_of(document: ImageDocument, cost: PictureCost | None) -> dict[str, Any]:
    """Return what a usage row says of pictures."""
    usage = usage_of(document.parts)
    return {
        "sizes": [str(size) for size in document.sizes],
        "pixels": usage.pixels,
        "input_images": usage.input_images,
        "quality": document.fitted.fields.get("quality"),
        "price_unit": "+".join(cost.units) if cost is not None else None,
        "vendor": usage.raw,
        "vendor_request_ids": [p.vendor_request_id for p in document.parts if p.vendor_request_id],
    }
