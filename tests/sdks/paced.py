"""A stream that waits for its reader: it shows without a clock that texts arrive one by one."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.peer import Peer, RecordedRequest
from tests.support.replies import Ending
from tests.support.wire import chunk_bytes, message_bytes

# Only a test that fails waits so long: the user has not seen a text that was sent.
_ARRIVAL_TIMEOUT = 10.0

Event = Mapping[str, object] | str


@dataclass(frozen=True)
class Paced:
    """A stream that goes on after each text only when the user of the SDK has told its arrival.

    That orders the facts without a clock: where it comes to its end, every text had arrived before
    the next one was sent.
    """

    events: tuple[Event, ...]
    ending: Ending
    arrivals: threading.Semaphore

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write the events and end as told; an arrival that is missing ends the stream, too."""
        headers = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        peer.send(message_bytes("HTTP/1.1 200 OK", headers, b""))
        for event in self.events:
            peer.send(chunk_bytes(frame(event)))
            if _has_text(event) and not self.arrivals.acquire(timeout=_ARRIVAL_TIMEOUT):
                return False
        if self.ending == "reset":
            peer.reset_on_close()
        if self.ending == "complete":
            peer.send(chunk_bytes(b""))
        return self.ending == "complete"


def frame(event: Event) -> bytes:
    """Write one event as it stands in a stream."""
    text = event if isinstance(event, str) else json.dumps(event)
    return f"data: {text}\n\n".encode()


def _has_text(event: Event) -> bool:
    choices: Any = [] if isinstance(event, str) else event.get("choices", [])
    return any(choice.get("text") or choice.get("delta", {}).get("content") for choice in choices)
