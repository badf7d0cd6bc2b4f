"""What the relay asks of a streamed answer, in whatever form it comes."""

from collections.abc import Mapping
from typing import Any, Protocol

from llm_api.domain.calls import Operation, TextLength, TokenUsage
from llm_api.upstream.vendors.errors import ErrorClassifier


class RelayedAnswer(Protocol):
    """The state of a streamed answer while its events come in."""

    is_over: bool
    has_finished: bool
    has_begun: bool
    length: TextLength
    operation: Operation
    classifier: ErrorClassifier

    def take(self, event: bytes) -> bytes | None:
        """Return what is passed on for an event, None where nothing is; raises faults.Fault."""

    def end(self) -> list[bytes]:
        """Return what is left to pass on when no more events come; raises faults.Fault."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the answer is missing, so far as can be told."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The answer so far, without its texts: `id`, `model`, and the reasons for its end."""

    @property
    def usage(self) -> TokenUsage:
        """The usage so far."""
