"""What is asked of an upstream."""

from dataclasses import dataclass, field
from typing import Any

from llm_api.domain.calls import Operation
from llm_api.upstream.vendors.errors import ErrorClassifier


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request's body as the vendor takes it, and who reads the refusals of it."""

    operation: Operation
    body: dict[str, Any]
    reader: ErrorClassifier = field(repr=False)
    wants_thinking: bool = False

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is to come in events."""
        return bool(self.body.get("stream"))

    @property
    def cap(self) -> int | None:
        """How many tokens the model can write at most; None where it is free."""
        cap = self.body.get("max_completion_tokens") or self.body.get("max_tokens")
        return cap * (self.body.get("n") or 1) if cap else None
