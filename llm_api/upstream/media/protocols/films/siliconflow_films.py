"""SiliconFlow's films: https://docs.siliconflow.cn/cn/api-reference/videos.

A task is asked for by a POST, and its links live for an hour or less.
"""

from typing import Any, ClassVar

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile
from llm_api.errors import ApiError
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.protocols.answer_parts import items_of
from llm_api.upstream.media.protocols.films.film_tasks import (
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    FilmTasks,
    film_of,
)
from llm_api.upstream.media.vendor_protocol import Loader, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()


class SiliconFlowFilms(FilmTasks):
    """Writes SiliconFlow's requests."""

    states: ClassVar = {
        "inqueue": QUEUED,
        "inprogress": RUNNING,
        "succeed": DONE,
        "failed": FAILED,
    }
    placed: ClassVar = frozenset(["aspect_ratio", "resolution", "duration"])

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:  # noqa: ARG002  # one film a request
        """See VendorProtocol."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            **request.constants,
        }
        if request.size is not None:
            body["image_size"] = str(request.size)
        if request.references:
            body["image"] = data_uri(request.references[0], load)
        body |= self._named(request)
        return VendorRequest("POST", "/video/submit", written(body))

    def poll(self, task_id: str, looked: int) -> VendorRequest:  # noqa: ARG002  # of other vendors
        """See VendorProtocol."""
        return VendorRequest("POST", "/video/status", written({"requestId": task_id}))

    def _error_in(self, document: Any, request_id: str | None) -> ApiError | None:
        reason = document.get("reason")
        return self._error({"message": reason}, request_id) if reason else None

    def _id_in(self, document: Any) -> object:
        return document.get("requestId")

    def _state_in(self, document: Any) -> object:
        return document.get("status")

    def _film_in(self, document: Any, task_id: str) -> VendorFile:  # noqa: ARG002  # it has a link
        results = document.get("results")
        found = items_of(results if isinstance(results, dict) else {}, "videos")
        film = found[0] if found and isinstance(found[0], dict) else {}
        return film_of(film.get("url"), beside={})

    def _usage_in(self, document: Any) -> MadeUsage:  # noqa: ARG002  # it counts nothing
        return MadeUsage()
