"""What is peculiar to an upstream, and to the one that is bundled."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class UpstreamBehavior:
    """What is peculiar to an upstream.

    `serves_one_model`: the configured model answers, whichever was asked for.
    `is_always_streamed`: also a call without streaming is streamed, so that the upstream notices
    when it is given up. `default_max_tokens` is sent where the caller set no cap.
    `keeps_alive` is false for one that closes the connection of a streamed answer after all.
    `max_concurrency` calls run at once in this process, others wait up to `queue_timeout` seconds.
    """

    name: str
    serves_one_model: bool = False
    is_always_streamed: bool = False
    default_max_tokens: int | None = None
    max_concurrency: int = 1024
    queue_timeout: float = 1.0
    probe_path: str = "/models"
    keeps_alive: bool = True

    def cap(self, body: dict[str, Any]) -> None:
        """Cap the tokens of a request that has no cap, where the upstream would never end."""
        if self.default_max_tokens and not (
            body.get("max_tokens") or body.get("max_completion_tokens")
        ):
            body["max_tokens"] = self.default_max_tokens


# llama.cpp never stops an abandoned call unless it is streamed, and generates without end unless
# capped. It has 4 places, and an answer takes seconds, so that waiting a while is worth it.
BUNDLED_MODEL = UpstreamBehavior(
    name="local",
    serves_one_model=True,
    is_always_streamed=True,
    default_max_tokens=512,
    max_concurrency=4,
    queue_timeout=20.0,
    probe_path="/health",
    keeps_alive=False,
)
