"""Zhipu's images: https://docs.bigmodel.cn/api-reference, and GLM-Image as a task."""

from typing import Any
from urllib.parse import quote

from llm_api.domain.making import FittedRequest, MadeUsage, VendorResult, VendorTask
from llm_api.errors import ApiError
from llm_api.upstream.media.long_texts import written
from llm_api.upstream.media.making_errors import (
    error_inside,
    task_failed,
    task_not_found,
    vendor_request_id,
)
from llm_api.upstream.media.protocols.answer_parts import (
    items_of,
    names_of,
    object_in,
    picture_in,
    result_of,
    sent_fields,
    task_id_of,
)
from llm_api.upstream.media.protocols.task_polls import is_gone, says_nothing
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()


class Zhipu(WithoutTasks):
    """Writes Zhipu's requests, one picture each, and reads the links of its answers."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:  # noqa: ARG002  # no model takes pictures
        """See VendorProtocol."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            **request.constants,
        }
        if request.size is not None:
            body["size"] = str(request.size)
        body |= sent_fields(self._model, request, part)
        path = "/async/images/generations" if self._model.is_task else "/images/generations"
        return VendorRequest("POST", path, written(body))

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = object_in(answer, self._model)
        if document.get("error"):
            raise self._error(document["error"], vendor_request_id(answer, document))
        if self._model.is_task:
            return VendorTask(task_id_of(document.get("id")), self._model.after(0), "running")
        return _pictures(document, "data", vendor_request_id(answer, document))

    def poll(self, task_id: str, looked: int) -> VendorRequest:  # noqa: ARG002  # of other vendors
        """See VendorProtocol."""
        return VendorRequest("GET", f"/async-result/{quote(task_id, safe='')}")

    def read_polled(
        self, task_id: str, answer: VendorAnswer, looked: int
    ) -> VendorResult | VendorTask:
        """See VendorProtocol; a failure comes with status 200."""
        if is_gone(answer):
            raise task_not_found()
        under_way = VendorTask(task_id, self._model.after(looked), "running")
        if says_nothing(answer):
            return under_way
        document = object_in(answer, self._model)
        request_id = vendor_request_id(answer, document)
        status = document.get("task_status")
        if status == "SUCCESS":
            return _pictures(document, "image_result", request_id)
        if status == "FAIL":
            said = document.get("error")
            error = self._error(said, request_id) if said else None
            raise task_failed(error, may_have_charged=True)  # nothing says that it costs nothing
        return under_way

    def _error(self, error: object, request_id: str | None) -> ApiError:
        names = names_of(self._model)
        return error_inside(self._model.vendor, error, field_names=names, request_id=request_id)


def _pictures(document: dict[str, Any], name: str, request_id: str | None) -> VendorResult:
    found = [picture_in(item) for item in items_of(document, name)]
    pictures = [picture for picture in found if picture is not None]
    return result_of(pictures, [], MadeUsage(images=len(pictures)), request_id)
