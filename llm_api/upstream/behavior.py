"""How an upstream has to be called, and how the bundled one has."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_api.errors import InvalidRequest
from llm_api.runtime.file_limits import MAX_IDLE
from llm_api.upstream.vendors.vision import VisionTraits

_MEDIA = frozenset(
    ["audio", "file", "image", "image_url", "input_audio", "input_image", "video", "video_url"]
)


@dataclass(frozen=True, slots=True)
class UpstreamBehavior:
    """What is particular about an upstream.

    Args:
        name: its name in settings, usage rows and logs.
        serves_one_model: the configured model answers, whichever was requested.
        is_always_streamed: a call without streaming is streamed, too, so that the upstream notices
            when it is given up.
        default_max_tokens: sent if the request has no limit of its own; None sends none.
        max_concurrency: calls that run at the same time in this process.
        max_idle: connections that each of its addresses and keys may keep open while unused.
        queue_timeout: seconds that further calls wait for one of them to end.
        probe_path: path of the health check.
        has_tools: whether its model can be given tools.
        keeps_alive: false if it closes the connection after a streamed answer in any case.
        is_started_again: it is a process of this machine that is started again when it has ended;
            what its absence has closed is open as soon as it is back.
        reads_text_only: pictures, sound, videos, files and tools of type `custom` are refused
            here: it would call them its own failure.
    """

    name: str
    serves_one_model: bool = False
    is_always_streamed: bool = False
    default_max_tokens: int | None = None
    max_concurrency: int = 1024
    max_idle: int = MAX_IDLE
    queue_timeout: float = 1.0
    probe_path: str = "/models"
    has_tools: bool = True
    keeps_alive: bool = True
    is_started_again: bool = False
    reads_text_only: bool = False

    def seeing(self, vision: VisionTraits) -> VisionTraits:
        """Return how its models take pictures, of vendors with these traits."""
        return replace(vision, takes_pictures=False) if self.reads_text_only else vision

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Refuse what it cannot read; raises InvalidRequest with what to do."""
        messages = parameters.get("messages")
        for number, message in enumerate(messages if isinstance(messages, list) else []):
            content = message.get("content") if isinstance(message, dict) else None
            for place, part in enumerate(content if isinstance(content, list) else []):
                if isinstance(part, dict) and part.get("type") in _MEDIA:
                    raise InvalidRequest.of_field(
                        f"messages[{number}].content[{place}].type",
                        "must be text for this model, which takes no pictures, sound, videos or"
                        " files; leave them out, or choose a model that takes them.",
                        reason="not_supported",
                    )
        tools = parameters.get("tools")
        for number, tool in enumerate(tools if isinstance(tools, list) else []):
            if isinstance(tool, dict) and tool.get("type") == "custom":
                raise InvalidRequest.of_field(
                    f"tools[{number}].type",
                    "must be function for this model; choose another model for custom tools.",
                    reason="not_supported",
                )


# llama.cpp never stops an abandoned call unless it is streamed, and generates without end unless
# limited. It has 4 slots, and an answer takes seconds, so that waiting a while is worth it. The
# template of the bundled model leaves tools out without a word.
BUNDLED_MODEL = UpstreamBehavior(
    name="local",
    serves_one_model=True,
    is_always_streamed=True,
    default_max_tokens=512,
    max_concurrency=4,
    queue_timeout=20.0,
    probe_path="/health",
    has_tools=False,
    keeps_alive=False,
    is_started_again=True,
    reads_text_only=True,
)
# A vision model on this machine takes seconds and more for a picture, and one at a time.
LOCAL_JUDGE = replace(
    BUNDLED_MODEL,
    name="judge",
    default_max_tokens=1_024,
    max_concurrency=1,
    queue_timeout=120.0,
    has_tools=True,
    reads_text_only=False,
)
