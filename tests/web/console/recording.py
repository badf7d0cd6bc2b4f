"""A real service behind a door that keeps what comes in, byte by byte."""

import requests

from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, Whole
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import response_bytes

_TIMEOUT = 60
# Of one connection, or about the form in which requests has read the body.
_OWN = {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}


class RecordingDoor(ScriptedUpstream):
    """Passes each request on to a service, and keeps it in `requests`."""

    def __init__(self, service_url: str) -> None:
        """Stand in front of a service."""
        super().__init__()
        self._service_url = service_url

    @property
    def origin(self) -> str:
        """The address without a path."""
        return self.url.removesuffix("/v1")

    def good_reply(self, request: RecordedRequest) -> Reply:
        """Return what the service answers."""
        answer = requests.request(
            request.method,
            self._service_url + request.path,
            headers={name: value for name, value in request.headers if name.lower() not in _OWN},
            data=request.body,
            timeout=_TIMEOUT,
        )
        headers = [
            (name, value) for name, value in answer.headers.items() if name.lower() not in _OWN
        ]
        return Whole(response_bytes(answer.status_code, answer.content, headers))
