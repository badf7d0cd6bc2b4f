"""What the answers of several vendors have in common, and is read in one way."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile, VendorResult
from llm_api.errors import ApiError
from llm_api.upstream.media.long_texts import base64_of, read_json
from llm_api.upstream.media.making_errors import (
    bad_answer,
    commonest,
    error_inside,
    image_error,
    no_image,
    picture_failure,
)
from llm_api.upstream.media.vendor_models import VendorModel
from llm_api.upstream.media.vendor_protocol import VendorAnswer

_OK = range(200, 300)
_SIZE = re.compile(r"(\d{1,5})\s?[x×*]\s?(\d{1,5})", re.IGNORECASE)
_TASK_ID = re.compile(r"[\w.:-]{1,200}")
# Fields that a protocol has its own places for.
_PLACED = frozenset(["seed", "partial_images", "negative_prompt"])


def object_in(answer: VendorAnswer, model: VendorModel) -> dict[str, Any]:
    """Return the object in an answer; raises ApiError for an error, and for what is no object."""
    if answer.status not in _OK:
        raise image_error(model.vendor, answer, field_names=names_of(model))
    try:
        document = read_json(answer.body, answer.lifted)
    except ValueError:
        raise bad_answer("an answer that is no JSON") from None
    if isinstance(document, str):  # a refusal, which some write as a bare text
        raise error_inside(model.vendor, document, field_names=names_of(model))
    if not isinstance(document, dict):
        raise bad_answer("JSON that is no object")
    return document


def names_of(model: VendorModel) -> Mapping[str, str]:
    """Return our names of fields by the vendor's."""
    return {**model.own_names, **{vendors: ours for ours, vendors in model.names.items()}}


def sent_fields(model: VendorModel, request: FittedRequest, part: int) -> dict[str, Any]:
    """Return the fields of a request in the vendor's words, without its negative prompt."""
    fields = {
        model.name_of(name): value for name, value in request.fields.items() if name not in _PLACED
    }
    seed = request.seed_of(part)
    if seed is not None:
        fields[model.name_of("seed")] = seed
    return fields


def picture_in(item: object, *, prompt: object = None, seed: object = None) -> VendorFile | None:
    """Return the picture of an item with `url` or `b64_json`; None where it has none."""
    if not isinstance(item, dict):
        return None
    base64, url = base64_of(item.get("b64_json")), item.get("url")
    if base64 is None and not (isinstance(url, str) and url):
        return None
    return VendorFile(
        base64=base64,
        url=url if base64 is None else None,
        prompt=prompt if isinstance(prompt, str) and prompt else None,
        seed=seed if type(seed) is int else None,
    )


def result_of(
    pictures: Sequence[VendorFile],
    errors: Sequence[ApiError],
    usage: MadeUsage,
    request_id: str | None,
) -> VendorResult:
    """Return what a vendor made; raises the commonest of the errors where it made nothing."""
    if not pictures:
        raise commonest(errors) if errors else no_image()
    failed = tuple(picture_failure(error) for error in errors)
    return VendorResult(tuple(pictures), failed, usage, request_id)


def items_of(document: Mapping[str, Any], *names: str) -> list[Any]:
    """Return the first of the named lists that has something in it."""
    lists = (document.get(name) for name in names)
    return next((found for found in lists if isinstance(found, list) and found), [])


def count_in(usage: object, *names: str) -> int | None:
    """Return the first of the named numbers of a usage; None where there is none."""
    found = (usage.get(name) for name in names) if isinstance(usage, dict) else ()
    return next((one for one in found if type(one) is int and one >= 0), None)


def pixels_of(sizes: Iterable[object]) -> int | None:
    """Return the area of sizes such as `2048x2048` together; None where one is not known."""
    total = 0
    for size in sizes:
        found = _SIZE.fullmatch(size) if isinstance(size, str) else None
        if found is None:
            return None
        total += int(found[1]) * int(found[2])
    return total or None


def raw_usage(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the vendor's own object of usage."""
    usage = document.get("usage")
    return usage if isinstance(usage, dict) else {}


def task_id_of(value: object) -> str:
    """Return the id of a task; raises ApiError for what cannot stand in an address."""
    if not isinstance(value, str) or not _TASK_ID.fullmatch(value):
        raise bad_answer("neither a result nor a task")
    return value
