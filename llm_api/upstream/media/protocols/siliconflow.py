"""SiliconFlow's images: https://docs.siliconflow.cn/cn/api-reference/images/images-generations."""

from typing import Any

from llm_api.domain.making import FittedRequest, MadeUsage, VendorResult, VendorTask
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.making_errors import error_inside, vendor_request_id
from llm_api.upstream.media.protocols.answer_parts import (
    items_of,
    names_of,
    object_in,
    picture_in,
    result_of,
    sent_fields,
)
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()
_IMAGES = ("image", "image2", "image3")


class SiliconFlow(WithoutTasks):
    """Writes SiliconFlow's requests, and reads the links of its answers."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol; only models that make several pictures take their number."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            **request.constants,
        }
        if request.size is not None:
            body["image_size"] = str(request.size)
        if self._model.n_per_call > 1:
            body["batch_size"] = request.parts[part]
        if "negative_prompt" in request.fields:
            body["negative_prompt"] = request.fields["negative_prompt"]
        for name, picture in zip(_IMAGES, request.references, strict=False):
            body[name] = data_uri(picture, load)
        body |= sent_fields(self._model, request, part)
        return VendorRequest("POST", "/images/generations", written(body))

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol; the same links stand in `images` and in `data`."""
        document = object_in(answer, self._model)
        request_id = vendor_request_id(answer, document)
        seed = document.get("seed")
        found = [picture_in(item, seed=seed) for item in items_of(document, "images", "data")]
        pictures = [picture for picture in found if picture is not None]
        errors = []
        if not pictures and (document.get("code") or document.get("error")):
            errors.append(
                error_inside(
                    self._model.vendor,
                    document,
                    field_names=names_of(self._model),
                    request_id=request_id,
                )
            )
        return result_of(pictures, errors, MadeUsage(images=len(pictures)), request_id)
