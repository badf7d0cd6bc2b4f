"""Volcengine Ark's Seedream: https://www.volcengine.com/docs/82379/1541523.

A wrong value is refused there, but a wrong name of a field is ignored without a word. The streams
are read here because Ark's own SDK drops the other pictures when one fails.
"""

from collections.abc import Mapping
from typing import Any

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile, VendorResult, VendorTask
from llm_api.errors import ApiError
from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.long_texts import data_uri, written
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
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import (
    EventReader,
    Loader,
    Preview,
    VendorAnswer,
    VendorRequest,
)

WIRE_WORDS: frozenset[str] = frozenset()


class Ark(WithoutTasks):
    """Writes requests for Seedream, one picture each, and reads the answers."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            **request.constants,
        }
        if request.size is not None:
            body["size"] = str(request.size)
        if request.references:
            body["image"] = [data_uri(picture, load) for picture in request.references]
        body |= sent_fields(self._model, request, part)
        if "partial_images" in request.fields:
            body["stream"] = True
        return VendorRequest("POST", "/images/generations", written(body))

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = object_in(answer, self._model)
        request_id = vendor_request_id(answer, document)
        made = _Made(self._model, request_id)
        items = items_of(document, "data")
        for item in items:
            made.add(item)
        if not items and document.get("error"):
            made.fail(document["error"])
        return made.result(document)

    def events(self) -> EventReader | None:
        """See VendorProtocol."""
        return ArkEvents(self._model)


class ArkEvents:
    """Reads a stream: an event for each picture, be it made or refused, then the usage."""

    def __init__(self, model: ImageModel) -> None:
        """Expect the first event."""
        self._made = _Made(model, None)
        self._last: Mapping[str, Any] = {}

    def read(self, event: Mapping[str, Any]) -> Preview | None:
        """See EventReader; pictures that came before an error are kept."""
        kind = str(event.get("type", ""))
        if kind.endswith(".partial_succeeded"):
            self._made.add(event)
        elif event.get("error") or kind == "error":
            self._made.fail(event.get("error") or event)
        elif kind.endswith(".completed"):
            self._last = event
        return None

    def result(self) -> VendorResult:
        """See EventReader."""
        return self._made.result(self._last)


class _Made:
    """What has come of the pictures of one call."""

    def __init__(self, model: ImageModel, request_id: str | None) -> None:
        self._model, self._request_id = model, request_id
        self._pictures: list[VendorFile] = []
        self._sizes: list[object] = []
        self._errors: list[ApiError] = []

    def add(self, item: Any) -> None:
        """Add a picture, or what stands for it."""
        picture = picture_in(item)
        if picture is not None:
            self._pictures.append(picture)
            self._sizes.append(item.get("size"))
        elif isinstance(item, dict) and item.get("error"):
            self.fail(item["error"])

    def fail(self, error: object) -> None:
        """Add an error."""
        self._errors.append(
            error_inside(
                self._model.vendor,
                error,
                field_names=names_of(self._model),
                request_id=self._request_id,
            )
        )

    def result(self, document: Mapping[str, Any]) -> VendorResult:
        """Return all; `document` has the usage. Raises ApiError where there is no picture."""
        raw = raw_usage(document)
        usage = MadeUsage(
            images=count_in(raw, "generated_images"),
            input_images=count_in(raw, "input_images") or 0,
            pixels=pixels_of(self._sizes),
            output_tokens=count_in(raw, "output_tokens"),
            raw=raw,
        )
        return result_of(self._pictures, self._errors, usage, self._request_id)
