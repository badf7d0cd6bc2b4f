"""DashScope's calls of a message that are answered with the pictures.

https://help.aliyun.com/zh/model-studio/qwen-image-api

The word `path` of `wire` is below `/api/v1`, and required.
"""

from llm_api.domain.making import FittedRequest, VendorResult, VendorTask
from llm_api.upstream.media.long_texts import written
from llm_api.upstream.media.making_errors import vendor_request_id
from llm_api.upstream.media.protocols.dashscope_answers import (
    document_in,
    message_body,
    pictures_in,
)
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer, VendorRequest

WIRE_WORDS = frozenset(["path"])


class DashScopeMessages(WithoutTasks):
    """Writes requests of a message, and reads the pictures of the answer."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""
        body = message_body(self._model, request, part, load)
        return VendorRequest("POST", self._model.wire["path"], written(body))

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = document_in(answer, self._model)
        return pictures_in(document, self._model, vendor_request_id(answer, document))
