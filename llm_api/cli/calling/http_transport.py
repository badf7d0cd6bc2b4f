"""The way to a service elsewhere, over HTTP with requests.

Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, authorities those of REQUESTS_CA_BUNDLE.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

import llm_api
from llm_api.cli.calling.api_client import Request
from llm_api.cli.calling.exit_codes import FAILED, UNREACHABLE, CommandFailed

_CONNECT_S = 10.0
_PIECE = 64 << 10


class HttpTransport:
    """Sends requests to the address of a service."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        """Send to `url`; `timeout` is the longest silence of an answer, in seconds."""
        self._url = url
        self._timeout = timeout
        self._session = requests.Session()
        self._session.auth = _Bearer(key)
        self._session.headers["User-Agent"] = f"llm-api/{llm_api.__version__}"

    def open(self, request: Request) -> "HttpResponse":
        """Send a request, and return its response once that has begun; raises CommandFailed."""
        headers = {} if request.body is None else {"Content-Type": "application/json"}
        try:
            response = self._session.request(
                request.method,
                self._url + request.path,
                data=request.body,
                headers=headers,
                timeout=(_CONNECT_S, self._timeout),
                stream=True,
                allow_redirects=False,  # the key is for this address alone
            )
        except requests.RequestException as error:
            raise _failure(error, self._url) from error
        return HttpResponse(response, self._url)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class HttpResponse:
    """A response of requests."""

    def __init__(self, response: requests.Response, url: str) -> None:
        """Read a response of the service at `url`."""
        self._response = response
        self._url = url
        self.status = response.status_code

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes in; raises CommandFailed."""
        is_stream = "event-stream" in self._response.headers.get("Content-Type", "")
        try:
            yield from self._response.iter_content(None if is_stream else _PIECE)
        except requests.RequestException as error:
            said = f"The answer of {_host(self._url)} has broken off."
            raise CommandFailed(said, FAILED) from error

    def close(self) -> None:
        """Read no more of it."""
        self._response.close()


class _Bearer(AuthBase):
    """Sends the key, or none: without this, requests would send what ~/.netrc has for the host."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: Any) -> Any:
        if self._key is not None:
            request.headers.update({"Authorization": f"Bearer {self._key}"})
        return request


def _failure(error: requests.RequestException, url: str) -> CommandFailed:
    """Explain why no answer has come, without what a proxy's address may have of secrets."""
    host = _host(url)
    if isinstance(error, requests.exceptions.ProxyError):
        said = "The proxy of HTTP_PROXY or HTTPS_PROXY cannot be reached, or does not let through."
    elif isinstance(error, requests.exceptions.SSLError):
        said = (
            f"The certificate of {host} is not trusted here; REQUESTS_CA_BUNDLE names the file of"
            " another authority."
        )
    elif isinstance(error, requests.ConnectTimeout):
        said = f"{host} cannot be reached within {_CONNECT_S:.0f} seconds."
    elif isinstance(error, requests.Timeout):
        return CommandFailed(f"{host} has not answered in time; see --timeout.", FAILED)
    else:
        said = f"{host} cannot be reached; does the service run, and is LLM_API_URL right?"
    return CommandFailed(said, UNREACHABLE)


def _host(url: str) -> str:
    return urlsplit(url).netloc
