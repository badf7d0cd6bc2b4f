"""DashScope's films: of Wan up to 2.6 (a field for each input), and from 2.7 on (a list of media).

https://help.aliyun.com/zh/model-studio/text-to-video-api-reference

Words of `wire`:

* `path`: below `/api/v1`; `frames_path` for a first and a last frame.
"""

from typing import Any, ClassVar

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile
from llm_api.domain.videos import AUTO_RATIO, FIRST_FRAME, LAST_FRAME, REFERENCE
from llm_api.errors import ApiError
from llm_api.upstream.media.long_texts import data_uri, written
from llm_api.upstream.media.protocols.answer_parts import raw_usage
from llm_api.upstream.media.protocols.dashscope_answers import output_of
from llm_api.upstream.media.protocols.films.film_tasks import (
    CANCELLED,
    DONE,
    FAILED,
    GONE,
    QUEUED,
    RUNNING,
    FilmTasks,
    film_of,
    seconds_in,
)
from llm_api.upstream.media.vendor_protocol import Loader, VendorRequest

WIRE_WORDS = frozenset(["path", "frames_path"])
_AS_TASK = {"X-DashScope-Async": "enable"}
_GOOD_CODES = frozenset([None, "", "200", "Success", 200])
_CHOSEN_RATIO = "adaptive"


class DashScopeFilms(FilmTasks):
    """Writes requests for Wan up to 2.6."""

    states: ClassVar = {
        "pending": QUEUED,
        "suspended": QUEUED,  # it waits on
        "running": RUNNING,
        "succeeded": DONE,
        "failed": FAILED,
        "canceled": CANCELLED,
        "unknown": GONE,
    }
    tasks_path: ClassVar = "/tasks"
    placed: ClassVar = frozenset(
        ["aspect_ratio", "resolution", "negative_prompt", "reference_videos", "reference_audios"]
    )

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:  # noqa: ARG002  # one film a request
        """See VendorProtocol."""
        content: dict[str, Any] = {"prompt": request.prompt} if request.prompt else {}
        if "negative_prompt" in request.fields:
            content["negative_prompt"] = request.fields["negative_prompt"]
        body = {
            "model": request.model,
            "input": content | self._inputs(request, load),
            "parameters": {**request.constants, **self._parameters(request)},
        }
        return VendorRequest("POST", self._path(request), written(body), headers=_AS_TASK)

    def _path(self, request: FittedRequest) -> str:
        wire = self._model.wire
        has_last = any(one.role == LAST_FRAME for one in request.references)
        return str(wire.get("frames_path" if has_last else "path", wire["path"]))

    def _inputs(self, request: FittedRequest, load: Loader) -> dict[str, Any]:
        shown = [(one.role, data_uri(one, load)) for one in request.references]
        by_role = dict(shown)
        references = [picture for role, picture in shown if role == REFERENCE]
        references += request.fields.get("reference_videos", ())
        content: dict[str, Any] = {"reference_urls": references} if references else {}
        if LAST_FRAME in by_role:
            content |= {
                "first_frame_url": by_role[FIRST_FRAME],
                "last_frame_url": by_role[LAST_FRAME],
            }
        elif FIRST_FRAME in by_role:
            content["img_url"] = by_role[FIRST_FRAME]
        for url in request.fields.get("reference_audios", ()):
            content["audio_url"] = url
        return content

    def _parameters(self, request: FittedRequest) -> dict[str, Any]:
        parameters = self._named(request)
        has_frame = any(one.role == FIRST_FRAME for one in request.references)
        if has_frame or not self._model.is_sized or request.size is None:
            parameters["resolution"] = str(request.fields["resolution"]).upper()
        else:
            parameters["size"] = f"{request.size.width}*{request.size.height}"
        return parameters

    def cancel(self, task_id: str) -> VendorRequest | None:
        """See VendorProtocol; it helps only before the vendor has begun."""
        return VendorRequest("POST", f"{self._at(task_id)}/cancel")

    def _check(self, document: Any, request_id: str | None) -> None:
        if document.get("error") or document.get("code") not in _GOOD_CODES:
            raise self._error(document.get("error") or document, request_id)

    def _error_in(self, document: Any, request_id: str | None) -> ApiError | None:
        output = output_of(document)
        return self._error(output, request_id) if output.get("code") else None

    def _id_in(self, document: Any) -> object:
        return output_of(document).get("task_id")

    def _state_in(self, document: Any) -> object:
        return output_of(document).get("task_status")

    def _film_in(self, document: Any, task_id: str) -> VendorFile:  # noqa: ARG002  # it has a link
        output = output_of(document)
        actual = output.get("actual_prompt")
        prompt = None if actual == output.get("orig_prompt") else actual
        return film_of(output.get("video_url"), prompt=prompt, beside={})

    def _usage_in(self, document: Any) -> MadeUsage:
        raw = raw_usage(document)
        # `duration` has the seconds of reference films in it, which are charged, too.
        seconds = seconds_in(raw, "duration", "video_duration", "output_video_duration")
        return MadeUsage(seconds=seconds, raw=raw)


class DashScopeMediaFilms(DashScopeFilms):
    """Writes requests for Wan from 2.7 on."""

    def _path(self, request: FittedRequest) -> str:  # noqa: ARG002  # one for all
        return str(self._model.wire["path"])

    def _inputs(self, request: FittedRequest, load: Loader) -> dict[str, Any]:
        media = [{"type": one.role, "url": data_uri(one, load)} for one in request.references]
        for field, kind in (
            ("reference_videos", "reference_video"),
            ("reference_audios", "reference_audio"),
        ):
            media += [{"type": kind, "url": url} for url in request.fields.get(field, ())]
        return {"media": media} if media else {}

    def _parameters(self, request: FittedRequest) -> dict[str, Any]:
        parameters = self._named(request)
        parameters["resolution"] = str(request.fields["resolution"]).upper()
        ratio = request.fields["aspect_ratio"]
        if ratio != AUTO_RATIO:
            parameters["ratio"] = ratio
        elif self._model.can_choose_ratio:
            parameters["ratio"] = _CHOSEN_RATIO
        return parameters
