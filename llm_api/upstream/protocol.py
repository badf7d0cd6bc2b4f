"""What services may ask of an upstream, whatever stands behind it."""

from collections.abc import Callable
from typing import Protocol

from llm_api.domain.calls import Caller, Completion, ModelRequest, Operation, TextLength, TokenUsage
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.vendors.vision import VisionTraits


class UpstreamStream(Protocol):
    """A streamed answer whose first batch of chunks has come."""

    @property
    def usage(self) -> TokenUsage:
        """The usage so far; `missing` until the upstream sent it."""

    @property
    def length(self) -> TextLength:
        """The length of the text that has come so far."""

    @property
    def dropped(self) -> tuple[str, ...]:
        """Request fields that the upstream does not take."""

    @property
    def operation(self) -> Operation:
        """Whose form the batches have: chunks of a chat, or events of the Responses API."""

    def next_batch(self) -> list[bytes] | None:
        """Wait for chunks as JSON and return those that came together; None at the end.

        An empty batch stands for a silence. Raises ApiError.
        """

    def close(self) -> None:
        """End the call, if it has not ended."""


class Upstream(Protocol):
    """An OpenAI-compatible API, or something that behaves like one."""

    @property
    def name(self) -> str:
        """Its name in settings, usage rows and logs."""

    @property
    def default_model(self) -> str:
        """The model for requests that name none."""

    @property
    def serves_one_model(self) -> bool:
        """Whether the default model answers, whichever was requested."""

    @property
    def has_json_mode(self) -> bool:
        """Whether it takes `response_format` `json_object`."""

    @property
    def vision(self) -> VisionTraits:
        """How its models take pictures."""

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        is_streamed: bool = False,
        time_limit: float | None = None,
        caller: Caller | None = None,
    ) -> UpstreamCall:
        """Start the clock of a call, which may go on at other upstreams.

        Args:
            is_disconnected: whether the client has closed its connection.
            on_first_attempt: called before the first attempt is sent; raises ApiError if the call
                must not be made.
            is_streamed: chooses the total time-out of streams.
            time_limit: seconds that the client asked for; it can only shorten the time-out.
            caller: whose call it is: its failures alone stop nobody else's.
        """

    def complete(
        self,
        model: str,
        request: ModelRequest,
        call: UpstreamCall,
        *,
        model_was_named: bool = True,
    ) -> Completion:
        """Return the whole answer of a model; raises ApiError.

        `model` is the name at this upstream. `model_was_named` says that the caller chose it, so
        that a missing model is the caller's mistake.
        """

    def stream(
        self,
        model: str,
        request: ModelRequest,
        call: UpstreamCall,
        *,
        model_was_named: bool = True,
        shows_usage: bool = False,
    ) -> UpstreamStream:
        """Wait for the first batch of a streamed answer; raises ApiError if none comes.

        `shows_usage` adds a last chunk with the usage.
        """

    def probe(self) -> str:
        """Return `ok`, `starting`, or in one word what is wrong."""

    def models(self) -> list[str] | None:
        """Ask for the names of its models, in seconds; None where it does not say."""

    def close(self) -> None:
        """Close the idle connections."""
