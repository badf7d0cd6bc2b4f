"""Zhipu's films, CogVideoX: https://docs.bigmodel.cn/api-reference."""

from typing import Any, ClassVar

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile
from llm_api.domain.videos import FIRST_FRAME, LAST_FRAME
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.protocols.answer_parts import items_of
from llm_api.upstream.media.protocols.films.film_tasks import (
    DONE,
    FAILED,
    RUNNING,
    FilmTasks,
    film_of,
)
from llm_api.upstream.media.vendor_protocol import Loader, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()
_FRAMES = (FIRST_FRAME, LAST_FRAME)


class ZhipuFilms(FilmTasks):
    """Writes Zhipu's requests, and reads the links of its answers."""

    states: ClassVar = {"processing": RUNNING, "success": DONE, "fail": FAILED}
    tasks_path: ClassVar = "/async-result"
    placed: ClassVar = frozenset(["aspect_ratio", "resolution"])

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:  # noqa: ARG002  # one film a request
        """See VendorProtocol."""
        body: dict[str, Any] = {"model": request.model, **request.constants}
        if request.prompt:
            body["prompt"] = request.prompt
        if request.size is not None:
            body["size"] = str(request.size)
        in_order = sorted(request.references, key=lambda one: _FRAMES.index(one.role))
        frames = [data_uri(one, load) for one in in_order]
        if frames:
            body["image_url"] = frames if len(frames) > 1 else frames[0]
        body |= self._named(request)
        return VendorRequest("POST", "/videos/generations", written(body))

    def _id_in(self, document: Any) -> object:
        return document.get("id")

    def _state_in(self, document: Any) -> object:
        return document.get("task_status")

    def _film_in(self, document: Any, task_id: str) -> VendorFile:  # noqa: ARG002  # it has a link
        found = [one for one in items_of(document, "video_result") if isinstance(one, dict)]
        film = found[0] if found else {}
        return film_of(film.get("url"), beside={"cover": film.get("cover_image_url")})

    def _usage_in(self, document: Any) -> MadeUsage:  # noqa: ARG002  # it counts nothing
        return MadeUsage()
