"""What a job costs: at most before it is made, and in its usage row when it has ended."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from llm_api.domain.images import FittedRequest, ImageUsage
from llm_api.domain.tasks import Task
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError
from llm_api.services.images.document import UNKNOWN, JobDocument, Part
from llm_api.services.images.image_models import ImageDestination
from llm_api.services.pricing import PictureBill, PictureCost, PriceList
from llm_api.services.quotas.budgets import Cost, PictureNeeds
from llm_api.services.quotas.estimates import estimate_text
from llm_api.services.usage.call_facts import described

# Of a picture of a model that counts tokens; one of 1024 x 1024 in high quality takes about 6,000.
ASSUMED_PICTURE_TOKENS = 6_240
_PIXELS_OF_THEM = 1_048_576
_INPUT_PICTURE_TOKENS = 1_600
_STATUS_BY_CODE = {504: "timeout"}


def needs_of(
    fitted: Sequence[FittedRequest], at: ImageDestination, prices: PriceList, now: datetime
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


def usage_of(parts: Sequence[Part]) -> ImageUsage:
    """Add up what the vendor has counted; a sum is None where it is not known of every part."""
    used = [part.usage for part in parts if part.delivered]
    sizes = [kept.width * kept.height for part in parts for kept in part.kept]
    return ImageUsage(
        images=sum(part.delivered for part in parts),
        input_images=sum(one.input_images for one in used),
        pixels=sum(sizes) if sizes else None,
        input_tokens=_sum([one.input_tokens for one in used]),
        output_tokens=_sum([one.output_tokens for one in used]),
        input_image_tokens=_sum([one.input_image_tokens for one in used]),
        raw=used[0].raw if len(used) == 1 else {"calls": [one.raw for one in used]} if used else {},
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def is_free(parts: Sequence[Part]) -> bool:
    """Whether nothing can have been made that a vendor wants money for."""
    return not any(part.delivered or part.state == UNKNOWN for part in parts)


def cost_of(document: JobDocument, prices: PriceList, at: datetime) -> PictureCost | None:
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


def row_of(
    task: Task, document: JobDocument, cost: PictureCost | None, error: ApiError | None
) -> UsageRecord:
    """Return the usage row of a job that has ended; `error` where it has no picture."""
    usage, parts, payer = usage_of(document.parts), document.parts, document.payer
    is_known = cost is not None and cost.micro is not None
    last = document.attempts[-1] if document.attempts else None
    tokens: tuple[int | None, int | None] = (usage.input_tokens, usage.output_tokens)
    if usage.output_tokens is not None:  # some vendors count the output alone
        tokens = (usage.input_tokens or 0, usage.output_tokens)
    if is_free(parts):
        tokens = 0, 0
    return UsageRecord(
        request_id=task.request_id,
        created_at=task.created_at,
        route=payer.route,
        requested_model=document.requested_model,
        model=document.fitted.model,
        upstream=document.upstream,
        status=_status(document, error),
        reason=None if error is None else error.reason,
        attempts=len(document.attempts),
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        usage_source="missing" if None in tokens else "upstream",
        upstream_ms=sum(part.ms for part in parts),
        total_ms=round((time.time() - task.created_at.timestamp()) * 1000),
        attempts_detail=[described(attempt) for attempt in document.attempts],
        key_id=task.key_id,
        group_id=payer.group_id,
        http_status=200 if error is None else error.status,
        images=usage.images,
        first_token_ms=None if last is None else round(last.seconds * 1000),
        cost_micro=cost.micro if cost is not None and is_known else None,
        currency=cost.currency if cost is not None and is_known else None,
        tags=payer.tags,
        lineage_id=payer.lineage_id,
        pictures=_pictures(document, usage, cost),
        shown_id=payer.shown_id,
    )


def _status(document: JobDocument, error: ApiError | None) -> str:
    if error is None:
        return "ok"
    if any(part.state == UNKNOWN for part in document.parts):
        return "unknown"
    if error.reason == "cancelled":
        return "client_closed"
    return _STATUS_BY_CODE.get(error.status, "upstream_error")


def _pictures(document: JobDocument, usage: ImageUsage, cost: PictureCost | None) -> dict[str, Any]:
    return {
        "sizes": [str(size) for size in document.sizes],
        "pixels": usage.pixels,
        "input_images": usage.input_images,
        "quality": document.fitted.fields.get("quality"),
        "price_unit": "+".join(cost.units) if cost is not None else None,
        "vendor": usage.raw,
        "vendor_request_ids": [p.vendor_request_id for p in document.parts if p.vendor_request_id],
    }
