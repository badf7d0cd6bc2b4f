"""What stands between a model of pictures or films and whoever asks it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from llm_api.domain.calls import Caller
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import (
    DecodedBase64,
    FittedRequest,
    InputPicture,
    VendorResult,
    VendorTask,
)
from llm_api.domain.tasks import CancelState
from llm_api.upstream.call import UpstreamCall

R_contra = TypeVar("R_contra", contravariant=True)
# Reads the stored bytes of an input picture.
Loader = Callable[[InputPicture], bytes]


@dataclass(frozen=True, slots=True)
class VendorRequest:
    """A request in the words of a vendor.

    `path` follows the endpoint's base address, or is a whole address of the same origin. `body` is
    empty for a GET. `headers` are sent beside those of every call.
    """

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """A whole answer of a vendor.

    `headers` have lower-case names. `lifted` was cut out of the body while it came in, see
    `lifting`; it is empty also where nobody has looked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    lifted: tuple[DecodedBase64, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture on its way, from a vendor that streams: base64, and its place among previews."""

    base64: bytes | DecodedBase64 = field(repr=False)
    index: int = 0


class EventReader(Protocol):
    """Reads the events of one streamed answer."""

    def read(self, event: Mapping[str, Any]) -> Preview | None:
        """Read the JSON of an event; raises ApiError where it ends all pictures."""

    def result(self) -> VendorResult:
        """Return what came; raises ApiError where there is no picture."""


class VendorProtocol(Protocol):
    """How a vendor is asked; without state, and without a connection.

    Everything that an answer says wrongly, or that says that something went wrong, is an ApiError
    with a reason of the error table in docs/errors.md, whatever its status.
    """

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """Write the request for a part of what is wanted."""

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """Read the answer to it; raises ApiError."""

    def events(self) -> EventReader | None:
        """Return what reads the answer where it is a stream; None if the vendor never streams."""

    def poll(self, task_id: str, looked: int) -> VendorRequest:
        """Write the question for a task that was `looked` at so many times."""

    def read_polled(
        self, task_id: str, answer: VendorAnswer, looked: int
    ) -> VendorResult | VendorTask:
        """Read the answer to it; raises ApiError where the task has failed.

        An answer that says nothing about the task (429, 5xx) is a VendorTask to look at later.
        """

    def cancel(self, task_id: str) -> VendorRequest | None:
        """Write the request that cancels a task; None where the vendor cannot."""

    def is_cancelled(self, answer: VendorAnswer) -> bool:
        """Whether the answer to it says that the task ends."""


class VendorUpstream(Protocol[R_contra]):
    """Something that makes pictures or films: a vendor behind HTTP, or the built-in sketch."""

    @property
    def name(self) -> str:
        """Its name in settings, usage rows and logs."""

    @property
    def default_model(self) -> str:
        """The model for requests that name none."""

    def fit(self, request: R_contra, model: str) -> FittedRequest:
        """Put a request into the terms of a model; `model` is its name at the vendor.

        Every field is sent, emulated with a notice, or refused. Raises InvalidRequest with the
        field's name.
        """

    def preview(self, request: FittedRequest) -> list[Mapping[str, Any]]:
        """Return the requests that would be sent: `method`, `url`, `body` (pictures left out)."""

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        time_limit: float,
        caller: Caller | None = None,
    ) -> UpstreamCall:
        """Start the clock of a call, which may take `time_limit` seconds.

        `caller` is whose call it is: its failures alone stop nobody else's, the vendor is told its
        ids, and its trace has the spans of attempts.
        """

    def create(  # one call has all of them
        self,
        request: FittedRequest,
        part: int,
        call: UpstreamCall,
        load: Loader,
        *,
        on_sent: Callable[[], None],
        on_preview: Callable[[Preview], None] | None = None,
    ) -> VendorResult | VendorTask:
        """Ask once for a part of what is wanted; raises ApiError.

        It is repeated only where the request provably never left, or was clearly refused for a
        reason that passes (429, 503 with a code). `on_sent` is called before the first byte leaves.
        An ApiError's `may_have_charged` says whether the vendor may have made it.
        """

    def poll(self, task_id: str, model: str, looked: int) -> VendorResult | VendorTask:
        """Look at a task; raises ApiError where it has failed, in the vendor's words or ours."""

    def cancel(self, task_id: str, model: str) -> CancelState:
        """Cancel a task; returns what becomes of it."""

    def close(self) -> None:
        """Close the idle connections."""


class ImageUpstream(VendorUpstream[ImageRequest], Protocol):
    """Something that makes pictures."""
