"""What the four protocols of DashScope share: errors under status 200, pictures and usage.

https://help.aliyun.com/zh/model-studio/text-to-image-v2-api-reference
"""

from collections.abc import Mapping
from typing import Any

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile, VendorResult
from llm_api.errors import ApiError
from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.long_texts import data_uri
from llm_api.upstream.media.making_errors import error_inside, vendor_request_id
from llm_api.upstream.media.protocols.answer_parts import (
    count_in,
    items_of,
    names_of,
    object_in,
    picture_in,
    pixels_of,
    raw_usage,
    result_of,
    sent_fields,
)
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer

_GOOD_CODES = frozenset([None, "", "200", "Success", 200])


def parameters_of(model: ImageModel, request: FittedRequest, part: int) -> dict[str, Any]:
    """Return the `parameters`; how many pictures to make is always said."""
    parameters: dict[str, Any] = {"n": request.parts[part]}
    if request.size is not None:
        parameters["size"] = f"{request.size.width}*{request.size.height}"
    return {**parameters, **request.constants, **sent_fields(model, request, part)}


def message_body(
    model: ImageModel, request: FittedRequest, part: int, load: Loader
) -> dict[str, Any]:
    """Return the body of a request as a message: its pictures, then its prompt."""
    content: list[dict[str, Any]] = [{"image": data_uri(one, load)} for one in request.references]
    content.append({"text": request.prompt})
    parameters = parameters_of(model, request, part)
    if "negative_prompt" in request.fields:
        parameters["negative_prompt"] = request.fields["negative_prompt"]
    return {
        "model": request.model,
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": parameters,
    }


def document_in(answer: VendorAnswer, model: ImageModel) -> dict[str, Any]:
    """Return the object of a good answer; raises ApiError for any other."""
    document = object_in(answer, model)
    error = document.get("error") or document
    if document.get("error") or document.get("code") not in _GOOD_CODES:
        raise error_inside(
            model.vendor,
            error,
            field_names=names_of(model),
            request_id=vendor_request_id(answer, document),
        )
    return document


def output_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the answer is about: a task, or pictures."""
    output = document.get("output")
    return output if isinstance(output, dict) else {}


def pictures_in(
    document: Mapping[str, Any], model: ImageModel, request_id: str | None
) -> VendorResult:
    """Return the pictures of a document; raises ApiError where there are none."""
    output = output_of(document)
    pictures: list[VendorFile] = []
    errors: list[ApiError] = []
    for item in items_of(output, "results") or items_of(document, "data"):
        picture = picture_in(item, prompt=_rewritten(item))
        if picture is not None:
            pictures.append(picture)
        elif isinstance(item, dict) and (item.get("code") or item.get("error")):
            errors.append(
                error_inside(model.vendor, item, field_names=names_of(model), request_id=request_id)
            )
    for choice in items_of(output, "choices"):
        pictures += _pictures_of_choice(choice)
    return result_of(pictures, errors, _usage(document), request_id)


def _rewritten(item: object) -> object:
    """Return the vendor's own prompt where it differs from ours."""
    if not isinstance(item, dict):
        return None
    actual = item.get("actual_prompt") or item.get("revised_prompt")
    return None if actual == item.get("orig_prompt") else actual


def _pictures_of_choice(choice: object) -> list[VendorFile]:
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    parts = (
        [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    said = (part.get("actual_prompt") or part.get("text") for part in parts)
    prompt = next((one for one in said if one), None)
    found = (picture_in({"url": part.get("image")}, prompt=prompt) for part in parts)
    return [picture for picture in found if picture is not None]


def _usage(document: Mapping[str, Any]) -> MadeUsage:
    raw = raw_usage(document)
    images = count_in(raw, "image_count", "output_image_count")
    size = raw.get("size")
    width, height = count_in(raw, "output_width", "width"), count_in(raw, "output_height", "height")
    if width and height:
        size = f"{width}x{height}"
    return MadeUsage(
        images=images,
        input_images=count_in(raw, "input_image_count") or 0,
        pixels=pixels_of([size] * images) if images else None,
        input_tokens=count_in(raw, "input_tokens"),
        output_tokens=count_in(raw, "output_tokens"),
        raw=raw,
    )
