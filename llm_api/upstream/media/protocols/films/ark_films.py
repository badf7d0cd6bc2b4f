"""Volcengine Ark's Seedance: https://www.volcengine.com/docs/82379/1520757.

Unknown values of fields are refused. A film that runs cannot be cancelled there, and what cancels
one that waits deletes one that is done.
"""

from typing import Any, ClassVar

from llm_api.domain.making import FittedRequest, InputPicture, MadeUsage, VendorFile
from llm_api.domain.videos import AUTO_RATIO
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.protocols.answer_parts import count_in, raw_usage
from llm_api.upstream.media.protocols.films.film_tasks import (
    CANCELLED,
    DONE,
    EXPIRED,
    FAILED,
    QUEUED,
    RUNNING,
    FilmTasks,
    film_of,
    seconds_in,
)
from llm_api.upstream.media.vendor_protocol import Loader, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()
_PATH = "/contents/generations/tasks"
_CHOSEN_RATIO = "adaptive"


class ArkFilms(FilmTasks):
    """Writes tasks of content: a text, and pictures, films and sounds with their roles."""

    states: ClassVar = {
        "queued": QUEUED,
        "running": RUNNING,
        "succeeded": DONE,
        "failed": FAILED,
        "cancelled": CANCELLED,
        "expired": EXPIRED,
    }
    tasks_path: ClassVar = _PATH
    placed: ClassVar = frozenset(
        ["aspect_ratio", "reference_videos", "reference_audios", "negative_prompt"]
    )
    cancels_what_is_done: ClassVar = True

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:  # noqa: ARG002  # one film a request
        """See VendorProtocol."""
        ratio = request.fields.get("aspect_ratio")
        body: dict[str, Any] = {
            "model": request.model,
            "content": _content(request, load),
            **request.constants,
            "ratio": _CHOSEN_RATIO if ratio == AUTO_RATIO else ratio,
        }
        body |= self._named(request)
        return VendorRequest("POST", _PATH, written(body))

    def cancel(self, task_id: str) -> VendorRequest | None:
        """See VendorProtocol; it helps only while the task is queued."""
        return VendorRequest("DELETE", self._at(task_id))

    def _id_in(self, document: Any) -> object:
        return document.get("id")

    def _state_in(self, document: Any) -> object:
        return document.get("status")

    def _film_in(self, document: Any, task_id: str) -> VendorFile:  # noqa: ARG002  # it has a link
        content = document.get("content")
        content = content if isinstance(content, dict) else {}
        beside = {"last_frame": content.get("last_frame_url")}
        return film_of(
            content.get("video_url"), prompt=document.get("revised_prompt"), beside=beside
        )

    def _usage_in(self, document: Any) -> MadeUsage:
        raw = raw_usage(document)
        return MadeUsage(
            output_tokens=count_in(raw, "completion_tokens"),
            seconds=seconds_in(document, "duration"),
            raw=raw,
        )


def _content(request: FittedRequest, load: Loader) -> list[dict[str, Any]]:
    """Return what the film is made of; a picture without its role is refused."""
    content: list[dict[str, Any]] = []
    if request.prompt:
        content.append({"type": "text", "text": request.prompt})
    content += [_picture(one, load) for one in request.references]
    for field, kind in (("reference_videos", "video"), ("reference_audios", "audio")):
        content += [
            {"type": f"{kind}_url", f"{kind}_url": {"url": url}, "role": f"reference_{kind}"}
            for url in request.fields.get(field, ())
        ]
    return content


def _picture(one: InputPicture, load: Loader) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_uri(one, load)}, "role": one.role}
