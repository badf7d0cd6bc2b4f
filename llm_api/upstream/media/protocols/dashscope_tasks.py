"""DashScope's tasks: of the older models (a prompt), and of the newer ones (a message).

https://help.aliyun.com/zh/model-studio/text-to-image-v2-api-reference

Words of `wire`:

* `path`: below `/api/v1`; required.
* `images`: the field of `input` that has the pictures to edit, a list if it ends in `s`.
* `input`: further fields of `input`, such as the function of an editing model.
"""

from typing import Any
from urllib.parse import quote

from llm_api.domain.making import FittedRequest, VendorResult, VendorTask
from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.making_errors import (
    error_inside,
    task_cancelled,
    task_failed,
    task_not_found,
    vendor_request_id,
)
from llm_api.upstream.media.protocols.answer_parts import names_of, object_in, task_id_of
from llm_api.upstream.media.protocols.dashscope_answers import (
    document_in,
    message_body,
    output_of,
    parameters_of,
    pictures_in,
)
from llm_api.upstream.media.protocols.task_polls import is_gone, says_nothing
from llm_api.upstream.media.vendor_protocol import EventReader, Loader, VendorAnswer, VendorRequest

WIRE_WORDS = frozenset(["path", "images", "input"])
_AS_TASK = {"X-DashScope-Async": "enable"}
# All others, SUSPENDED among them, are of tasks under way.
_WAITING = "PENDING"


class DashScopeTasks:
    """Writes requests of a prompt, and looks at the tasks that become of them."""

    def __init__(self, model: ImageModel) -> None:
        """Speak with a model."""
        self._model = model

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""
        body = written(self._body(request, part, load))
        return VendorRequest("POST", self._model.wire["path"], body, headers=_AS_TASK)

    def _body(self, request: FittedRequest, part: int, load: Loader) -> dict[str, Any]:
        wire = self._model.wire
        content: dict[str, Any] = {"prompt": request.prompt, **wire.get("input", {})}
        if "negative_prompt" in request.fields:
            content["negative_prompt"] = request.fields["negative_prompt"]
        if request.references:
            pictures = [data_uri(picture, load) for picture in request.references]
            name = wire["images"]
            content[name] = pictures if name.endswith("s") else pictures[0]
        parameters = parameters_of(self._model, request, part)
        return {"model": request.model, "input": content, "parameters": parameters}

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        output = output_of(document_in(answer, self._model))
        return self._under_way(task_id_of(output.get("task_id")), output.get("task_status"), 0)

    def events(self) -> EventReader | None:
        """See VendorProtocol."""
        return None

    def poll(self, task_id: str, looked: int) -> VendorRequest:  # noqa: ARG002  # of other vendors
        """See VendorProtocol."""
        return VendorRequest("GET", f"/tasks/{quote(task_id, safe='')}")

    def read_polled(
        self, task_id: str, answer: VendorAnswer, looked: int
    ) -> VendorResult | VendorTask:
        """See VendorProtocol; failures and unknown tasks come with status 200."""
        if is_gone(answer):
            raise task_not_found()
        if says_nothing(answer):
            return self._under_way(task_id, None, looked)
        document = object_in(answer, self._model)
        output, request_id = output_of(document), vendor_request_id(answer, document)
        status = output.get("task_status")
        if status == "SUCCEEDED":
            return pictures_in(document, self._model, request_id)
        if status == "FAILED":
            error = error_inside(
                self._model.vendor, output, field_names=names_of(self._model), request_id=request_id
            )
            raise task_failed(error, may_have_charged=False)
        if status == "CANCELED":
            raise task_cancelled()
        if status == "UNKNOWN":
            raise task_not_found()
        return self._under_way(task_id, status, looked)

    def _under_way(self, task_id: str, status: object, looked: int) -> VendorTask:
        state = "queued" if status == _WAITING else "running"
        return VendorTask(task_id, self._model.after(looked), state)

    def cancel(self, task_id: str) -> VendorRequest | None:
        """See VendorProtocol; it helps only before the vendor has begun."""
        return VendorRequest("POST", f"/tasks/{quote(task_id, safe='')}/cancel")

    def is_cancelled(self, answer: VendorAnswer) -> bool:
        """See VendorProtocol."""
        return answer.status == 200


class DashScopeTaskMessages(DashScopeTasks):
    """Writes requests of a message instead."""

    def _body(self, request: FittedRequest, part: int, load: Loader) -> dict[str, Any]:
        return message_body(self._model, request, part, load)
