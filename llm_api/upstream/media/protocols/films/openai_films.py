"""OpenAI's form of films, as vLLM-Omni and SGLang speak it; OpenAI's own service of it has ended.

The film is fetched from the same server, with the same key. vLLM-Omni answers a question for a task
that has failed with another status than 200, and the task as the body.

Words of `wire`:

* `form`: `multipart` or `json`.
* `can_cancel`: whether a DELETE ends the work; elsewhere it only forgets the task.
"""

from typing import Any, ClassVar

import orjson

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile, VendorResult, VendorTask
from llm_api.domain.videos import FIRST_FRAME
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.protocols.films.film_tasks import (
    CANCELLED,
    DONE,
    EXPIRED,
    FAILED,
    QUEUED,
    RUNNING,
    FilmTasks,
    seconds_in,
)
from llm_api.upstream.media.protocols.multipart import Form
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer, VendorRequest

WIRE_WORDS = frozenset(["form", "can_cancel"])
_PATH = "/videos"


class OpenAIFilms(FilmTasks):
    """Writes requests for servers of one's own."""

    states: ClassVar = {
        "queued": QUEUED,
        "in_progress": RUNNING,
        "completed": DONE,
        "failed": FAILED,
        "cancelled": CANCELLED,
        "deleted": CANCELLED,
        "expired": EXPIRED,
    }
    tasks_path: ClassVar = _PATH
    placed: ClassVar = frozenset(["aspect_ratio", "resolution", "duration"])

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:  # noqa: ARG002  # one film a request
        """See VendorProtocol."""
        fields: dict[str, Any] = {"prompt": request.prompt, "model": request.model}
        fields |= request.constants
        if "duration" in request.fields:
            fields["seconds"] = request.fields["duration"]
        if request.size is not None:
            fields["size"] = str(request.size)
        fields |= self._named(request)
        frames = [one for one in request.references if one.role == FIRST_FRAME]
        if self._model.wire.get("form") == "json":
            if frames:
                fields["input_reference"] = data_uri(frames[0], load)
            return VendorRequest("POST", _PATH, written(fields))
        form = Form()
        for name, value in fields.items():
            form.add(name, value)
        for one in frames:
            ending = one.media_type.rpartition("/")[2]
            form.add_file("input_reference", f"frame.{ending}", one.media_type, load(one))
        return VendorRequest("POST", _PATH, form.body(), form.content_type)

    def read_polled(
        self, task_id: str, answer: VendorAnswer, looked: int
    ) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = _object(answer.body)
        if document.get("object") == "video" and document.get("id") == task_id:
            return self._read(task_id, document, None, looked)
        return super().read_polled(task_id, answer, looked)

    def cancel(self, task_id: str) -> VendorRequest | None:
        """See VendorProtocol."""
        if not self._model.wire.get("can_cancel"):
            return None
        return VendorRequest("DELETE", self._at(task_id))

    def _progress_in(self, document: Any) -> int | None:
        progress = document.get("progress")
        return progress if type(progress) is int and 0 <= progress <= 100 else None

    def _id_in(self, document: Any) -> object:
        return document.get("id")

    def _state_in(self, document: Any) -> object:
        return document.get("status")

    def _film_in(self, document: Any, task_id: str) -> VendorFile:  # noqa: ARG002  # it has no link
        return VendorFile(url=f"{self._at(task_id)}/content")

    def _usage_in(self, document: Any) -> MadeUsage:
        try:
            seconds = float(str(document.get("seconds") or ""))
        except ValueError:
            return MadeUsage()
        return MadeUsage(seconds=seconds_in({"seconds": seconds}, "seconds"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
