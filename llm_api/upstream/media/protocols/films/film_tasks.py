"""What the protocols of all vendors of films have in common: each film is a task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from llm_api.domain.making import (
    FittedRequest,
    MadeUsage,
    VendorFile,
    VendorResult,
    VendorTask,
)
from llm_api.errors import ApiError, InvalidRequest, UpstreamFault
from llm_api.upstream.media.making_errors import (
    bad_answer,
    error_inside,
    task_failed,
    task_not_found,
    vendor_request_id,
)
from llm_api.upstream.media.protocols.answer_parts import names_of, object_in, task_id_of
from llm_api.upstream.media.protocols.task_polls import is_gone, says_nothing
from llm_api.upstream.media.vendor_protocol import (
    EventReader,
    Loader,
    VendorAnswer,
    VendorRequest,
)
from llm_api.upstream.media.video_profiles import VideoModel

QUEUED, RUNNING, DONE = "queued", "running", "done"
FAILED, CANCELLED = "failed", "cancelled"
# Its time was over before it was done; or nobody can say what has become of it.
EXPIRED, GONE = "expired", "gone"
_DAY_S = 86_400
# What is at a path alone would be asked for with the vendor's key.
_SCHEMES = ("https://", "http://")
_Document = Mapping[str, Any]


class FilmTasks(ABC):
    """Reads the answers about the task of a film.

    `states` says what the vendor's words for its states mean, in lower case; a word that is not
    there is of a task under way. `tasks_path` is where a task is below the vendor's address, before
    its id, and `placed` are the fields that have places of their own in a request.
    """

    states: ClassVar[Mapping[str, str]]
    tasks_path: ClassVar[str] = ""
    placed: ClassVar[frozenset[str]]
    # Whether the wish to cancel deletes a film that is done: then the task is looked at first.
    cancels_what_is_done: ClassVar[bool] = False

    def __init__(self, model: VideoModel) -> None:
        """Speak with a model."""
        self._model = model

    @abstractmethod
    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""

    def poll(self, task_id: str, looked: int) -> VendorRequest:  # noqa: ARG002  # of pictures
        """See VendorProtocol."""
        return VendorRequest("GET", self._at(task_id))

    def events(self) -> EventReader | None:
        """See VendorProtocol."""
        return None

    def cancel(self, task_id: str) -> VendorRequest | None:  # noqa: ARG002  # of those that can
        """See VendorProtocol."""
        return None

    def is_cancelled(self, answer: VendorAnswer) -> bool:
        """See VendorProtocol."""
        return answer.status == 200

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = object_in(answer, self._model)
        self._check(document, vendor_request_id(answer, document))
        state = self.states.get(str(self._state_in(document)).lower(), QUEUED)
        return self._under_way(task_id_of(self._id_in(document)), state, 0)

    def read_polled(
        self, task_id: str, answer: VendorAnswer, looked: int
    ) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        if is_gone(answer):
            raise task_not_found()
        if says_nothing(answer):
            return VendorTask(task_id, self._model.after(looked), "")
        document = object_in(answer, self._model)
        return self._read(task_id, document, vendor_request_id(answer, document), looked)

    def _read(
        self, task_id: str, document: _Document, request_id: str | None, looked: int
    ) -> VendorResult | VendorTask:
        state = self.states.get(str(self._state_in(document)).lower(), RUNNING)
        if state == DONE:
            return VendorResult(
                (self._film_in(document, task_id),), (), self._usage_in(document), request_id
            )
        if state == FAILED:
            error = self._error_in(document, request_id)
            raise task_failed(error, may_have_charged=False)
        if state == CANCELLED:
            message = "The task was cancelled at the model service."
            raise InvalidRequest(message, reason="cancelled")
        if state == EXPIRED:
            message = "The model service has ended the task before it was done: its time was over."
            raise UpstreamFault(message, reason="task_expired")
        if state == GONE:
            raise task_not_found()
        return self._under_way(task_id, state, looked, self._progress_in(document))

    def _under_way(
        self, task_id: str, state: str, looked: int, progress: int | None = None
    ) -> VendorTask:
        state = state if state in {QUEUED, RUNNING} else RUNNING
        return VendorTask(task_id, self._model.after(looked), state, progress)

    def _at(self, task_id: str) -> str:
        """Return where a task is, below the vendor's address."""
        return f"{self.tasks_path}/{quote(task_id, safe='')}"

    def _named(self, request: FittedRequest) -> dict[str, Any]:
        """Return the fields that have no places of their own, by the vendor's names."""
        return {
            self._model.name_of(name): value
            for name, value in request.fields.items()
            if name not in self.placed
        }

    def _check(self, document: _Document, request_id: str | None) -> None:
        """Raise ApiError where a good status comes with words that the request has failed."""
        if document.get("error"):
            raise self._error(document["error"], request_id)

    def _error_in(self, document: _Document, request_id: str | None) -> ApiError | None:
        said = document.get("error")
        return self._error(said, request_id) if said else None

    def _error(self, said: object, request_id: str | None) -> ApiError:
        names = names_of(self._model)
        return error_inside(self._model.vendor, said, field_names=names, request_id=request_id)

    def _progress_in(self, document: _Document) -> int | None:  # noqa: ARG002  # of other vendors
        return None

    @abstractmethod
    def _id_in(self, document: _Document) -> object:
        """Return the id of the task in the answer to a request."""

    @abstractmethod
    def _state_in(self, document: _Document) -> object:
        """Return the vendor's word for the state of a task."""

    @abstractmethod
    def _film_in(self, document: _Document, task_id: str) -> VendorFile:
        """Return the film of a task that is done; raises ApiError where there is none."""

    @abstractmethod
    def _usage_in(self, document: _Document) -> MadeUsage:
        """Return what the vendor has counted."""


def film_of(url: object, *, prompt: object = None, beside: Mapping[str, object]) -> VendorFile:
    """Return a film by its address, which is whole; raises ApiError where there is none."""
    if not (isinstance(url, str) and url.startswith(_SCHEMES)):
        raise bad_answer("a task that is done, and no film")
    return VendorFile(
        url=url,
        prompt=prompt if isinstance(prompt, str) and prompt else None,
        beside={
            name: one
            for name, one in beside.items()
            if isinstance(one, str) and one.startswith(_SCHEMES)
        },
    )


def seconds_in(document: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of the named numbers that is a time; None where there is none."""
    for one in map(document.get, names):
        if isinstance(one, int | float) and not isinstance(one, bool) and 0 < one <= _DAY_S:
            return float(one)
    return None
