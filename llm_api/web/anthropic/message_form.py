"""The form of streamed messages: what can be written of one without knowing how it is made."""

from collections.abc import Mapping
from typing import Any

import orjson

from llm_api.errors import ApiError
from llm_api.web.response.error_formats import anthropic_error
from llm_api.web.response.sse import KeepAlive

PING = KeepAlive(b'event: ping\ndata: {"type":"ping"}\n\n')
_ERROR = b"event: error\n"


def event(document: Mapping[str, Any]) -> bytes:
    """Write an event of a stream, which has its type."""
    return b"event: %b\ndata: %b\n\n" % (document["type"].encode(), orjson.dumps(document))


class MessageForm:
    """The form of streamed messages."""

    def keep_alive(self, _sent: bytes) -> KeepAlive:
        """Write a ping."""
        return PING

    def has_failed(self, sent: bytes) -> bool:
        """Look for the event of an error."""
        return sent.startswith(_ERROR) or b"\n\n" + _ERROR in sent

    def broken(self, _first: bytes, _last: bytes, error: ApiError, request_id: str) -> bytes:
        """Write the one event of an error."""
        return event(anthropic_error(error, request_id))


MESSAGE_FORM = MessageForm()
