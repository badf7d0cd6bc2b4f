"""OpenAI's images API, and what local servers have made of it.

What they differ in is data: the constants and names of a model, and these words of its `wire`:

* `path`, `edit_path`, `mask_path`: below the address; a mask goes where edits go, if not said.
* `sends_model`: false for a server that has one model.
* `in_prompt`: a tag in the prompt that has fields as JSON, and `in_prompt_fields`, their names.
* `negative_after`: what stands between the prompt and the negative prompt that follows it.
* `references`: a field of the JSON that has the input pictures as base64, instead of an edit.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from llm_api.domain.making import (
    FittedRequest,
    InputPicture,
    MadeUsage,
    VendorFile,
    VendorResult,
    VendorTask,
)
from llm_api.errors import ApiError
from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.long_texts import base64_of, base64_picture, read_json, written
from llm_api.upstream.media.making_errors import (
    bad_answer,
    error_inside,
    image_error,
    no_image,
    picture_failure,
    vendor_request_id,
)
from llm_api.upstream.media.protocols.multipart import Form
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import (
    EventReader,
    Loader,
    Preview,
    VendorAnswer,
    VendorRequest,
)

WIRE_WORDS = frozenset(
    [
        *("path", "edit_path", "mask_path", "sends_model"),
        *("in_prompt", "in_prompt_fields", "negative_after", "references"),
    ]
)
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_OK = range(200, 300)


class OpenAI(WithoutTasks):
    """Writes requests for pictures as OpenAI's API has them, and reads its answers."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""
        body = self._body(request, part)
        wire = self._model.wire
        if request.mask is not None or (request.references and "references" not in wire):
            return self._edit(request, body, load)
        if request.references:
            body[wire["references"]] = [base64_picture(one, load) for one in request.references]
        return VendorRequest("POST", wire.get("path", "/images/generations"), written(body))

    def _body(self, request: FittedRequest, part: int) -> dict[str, Any]:
        """Return the fields, pictures left out."""
        model = self._model
        fields = dict(request.fields)
        prompt = request.prompt
        if (between := model.wire.get("negative_after")) and "negative_prompt" in fields:
            prompt += between + fields.pop("negative_prompt")
        if "seed" in fields:
            fields["seed"] = request.seed_of(part)
        body: dict[str, Any] = {"prompt": prompt, "n": request.parts[part]}
        if model.wire.get("sends_model", True):
            body = {"model": request.model, **body}
        if request.size is not None:
            body[model.name_of("size")] = str(request.size)
        body |= {model.name_of(name): value for name, value in fields.items()}
        if "partial_images" in fields:
            body["stream"] = True
        return self._with_tag({**request.constants, **body})

    def _with_tag(self, body: dict[str, Any]) -> dict[str, Any]:
        """Move fields into the prompt for a server that reads them there."""
        tag = self._model.wire.get("in_prompt")
        names = self._model.wire.get("in_prompt_fields", ())
        inside = {name: body[name] for name in names if name in body}
        if not tag or not inside:
            return body
        # A "<" could end the tag; within JSON it may be written in another way.
        text = orjson.dumps(inside).decode().replace("<", "\\u003c")
        rest = {name: value for name, value in body.items() if name not in inside}
        return rest | {"prompt": f"{body['prompt']} <{tag}>{text}</{tag}>"}

    def _edit(self, request: FittedRequest, body: Mapping[str, Any], load: Loader) -> VendorRequest:
        form = Form()
        for name, value in body.items():
            is_plain = isinstance(value, str | int | float)
            form.add(name, value if is_plain else orjson.dumps(value).decode())
        pictures = request.references
        for number, picture in enumerate(pictures):
            name = "image" if len(pictures) == 1 else "image[]"
            form.add_file(name, _file_name(picture, number), picture.media_type, load(picture))
        wire = self._model.wire
        path = wire.get("edit_path", "/images/edits")
        if request.mask is not None:
            mask = request.mask
            form.add_file("mask", "mask.png", mask.media_type, load(mask))
            path = wire.get("mask_path", path)
        return VendorRequest("POST", path, form.body(), content_type=form.content_type)

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = read_answer(self._model.vendor, answer, self._field_names)
        items = document.get("data")
        if document.get("error") and not items:
            raise image_error(self._model.vendor, answer, field_names=self._field_names)
        found = [_picture(item) for item in items] if isinstance(items, list) else []
        pictures = tuple(picture for picture in found if picture is not None)
        failed = [item for item, picture in zip(items or (), found, strict=False) if not picture]
        if not pictures:
            raise self._error(failed[0]) if failed else no_image()
        return VendorResult(
            pictures,
            tuple(picture_failure(self._error(item)) for item in failed),
            _usage(document, len(pictures)),
            vendor_request_id(answer, document),
        )

    def _error(self, item: object) -> ApiError:
        """Return why an item has no picture."""
        said = item.get("error") if isinstance(item, dict) else None
        if not said:
            return no_image()
        return error_inside(self._model.vendor, said, field_names=self._field_names)

    def events(self) -> EventReader | None:
        """See VendorProtocol."""
        return OpenAIEvents(self._model, self._field_names)


class OpenAIEvents:
    """Reads a stream of pictures: previews, and each picture when it is made."""

    def __init__(self, model: ImageModel, field_names: Mapping[str, str]) -> None:
        """Expect the first event."""
        self._vendor, self._field_names = model.vendor, field_names
        self._pictures: list[VendorFile] = []
        self._usage: list[MadeUsage] = []

    def read(self, event: Mapping[str, Any]) -> Preview | None:
        """See EventReader."""
        kind = event.get("type")
        if event.get("error") or kind == "error":
            said = event.get("error") or event
            raise error_inside(self._vendor, said, field_names=self._field_names)
        picture = _picture(event)
        if picture is None or not isinstance(kind, str):
            return None
        if kind.endswith(".partial_image") and picture.base64 is not None:
            index = event.get("partial_image_index")
            return Preview(picture.base64, index if isinstance(index, int) else 0)
        if kind.endswith(".completed"):
            self._pictures.append(picture)
            self._usage.append(_usage(event, 1))
        return None

    def result(self) -> VendorResult:
        """See EventReader."""
        if not self._pictures:
            raise no_image()
        # Each has its own; nobody has written whether the prompt is counted for each of them.
        usage = MadeUsage(
            images=len(self._pictures),
            input_tokens=_sum(one.input_tokens for one in self._usage),
            output_tokens=_sum(one.output_tokens for one in self._usage),
            input_image_tokens=_sum(one.input_image_tokens for one in self._usage),
            raw=self._usage[-1].raw,
        )
        return VendorResult(tuple(self._pictures), usage=usage)


def read_answer(
    vendor: str, answer: VendorAnswer, field_names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the object in a good answer; raises ApiError for any other."""
    if answer.status not in _OK:
        raise image_error(vendor, answer, field_names=field_names)
    try:
        document = read_json(answer.body, answer.lifted)
    except ValueError as error:
        raise bad_answer("an answer that is no JSON") from error
    if not isinstance(document, dict):
        raise bad_answer("JSON that is no object")
    return document


def _picture(item: object) -> VendorFile | None:
    if not isinstance(item, dict):
        return None
    base64, url, prompt = base64_of(item.get("b64_json")), item.get("url"), None
    if base64 is None and not (isinstance(url, str) and url):
        return None
    if isinstance(item.get("revised_prompt"), str):
        prompt = item["revised_prompt"] or None
    seed = item.get("seed")
    return VendorFile(
        base64=base64,
        url=url if base64 is None else None,
        prompt=prompt,
        seed=seed if type(seed) is int else None,
    )


def _usage(document: Mapping[str, Any], images: int) -> MadeUsage:
    raw = document.get("usage")
    if not isinstance(raw, dict):
        return MadeUsage(images=images)
    sent, made = _count(raw, "input_tokens"), _count(raw, "output_tokens")
    if not sent and not made:  # some servers write zeros for what they do not count
        return MadeUsage(images=images)
    details = raw.get("input_tokens_details")
    of_images = _count(details, "image_tokens") if isinstance(details, dict) else None
    return MadeUsage(
        images=images,
        input_tokens=sent,
        output_tokens=made,
        input_image_tokens=of_images,
        raw=raw,
    )


def _count(raw: Mapping[str, Any], name: str) -> int | None:
    count = raw.get(name)
    return count if type(count) is int and count >= 0 else None


def _sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum; unknown if one of them is."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _file_name(picture: InputPicture, number: int) -> str:
    return f"image-{number}.{_ENDINGS.get(picture.media_type, 'png')}"
