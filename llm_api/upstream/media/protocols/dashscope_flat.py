"""DashScope's images in OpenAI's style, with fields of its own at the top of the body.

https://www.alibabacloud.com/help/es/model-studio/qwen-image-openai-compatible
"""

from typing import Any

from llm_api.domain.making import FittedRequest, VendorResult, VendorTask
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.making_errors import vendor_request_id
from llm_api.upstream.media.protocols.answer_parts import sent_fields
from llm_api.upstream.media.protocols.dashscope_answers import document_in, pictures_in
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()


class DashScopeFlat(WithoutTasks):
    """Writes flat requests, and reads the links of the answer."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            "n": request.parts[part],
            **request.constants,
        }
        if request.size is not None:
            body["size"] = str(request.size)
        if "negative_prompt" in request.fields:
            body["negative_prompt"] = request.fields["negative_prompt"]
        if request.references:
            body["image"] = [data_uri(picture, load) for picture in request.references]
        body |= sent_fields(self._model, request, part)
        return VendorRequest("POST", "/images/generations", written(body))

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = document_in(answer, self._model)
        return pictures_in(document, self._model, vendor_request_id(answer, document))
