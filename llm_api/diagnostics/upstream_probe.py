"""A bounded HTTP client for the checks; it uses no proxy or credentials of the environment.

Not `upstream/http/transport.py`, whose calls are retried, counted and cut off by deadlines.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests
import urllib3

from llm_api.diagnostics.upstream_route import CheckedUpstream

MAX_ANSWER_S = 10.0
_MAX_BYTES = 1 << 20
_ACCOUNT = re.compile(
    r"arrearage|account_?overdue|unpurchased|quota_?exceeded|set_?limit_?exceeded"
    r"|insufficient_(quota|balance)",
    re.IGNORECASE,
)
_KEY = re.compile(r"invalid_?api_?key|authentication_?error|access_?denied", re.IGNORECASE)
_MODEL = re.compile(
    r"model_?not_?(found|open|exist)|model not exist|InvalidEndpoint|UnsupportedModel"
    r"|not a valid model",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """A response, read up to 1 MiB; `document` is its JSON, None where it is not JSON."""

    status: int
    kind: str
    location: str
    body: bytes = field(repr=False)
    document: Any = field(repr=False)

    @property
    def error_text(self) -> str:
        """Code, type and message of an error, to be matched and never quoted."""
        error = self.document
        if not isinstance(error, dict) or "choices" in error:
            return ""
        error = error.get("error", error)
        if isinstance(error, dict):
            return " ".join(str(error.get(name, "")) for name in ("code", "type", "message"))
        return str(error)

    @property
    def choice(self) -> dict[str, Any]:
        """The first choice of a chat completion; empty where this is none."""
        choices = self.document.get("choices") if isinstance(self.document, dict) else None
        first = choices[0] if isinstance(choices, list) and choices else None
        return first if self.status == requests.codes.ok and isinstance(first, dict) else {}

    @property
    def text(self) -> str:
        """The text of the first choice."""
        message = self.choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        return text if isinstance(text, str) else ""

    @property
    def is_about_account(self) -> bool:
        """Whether the account is overdue, its quota spent, or the model not bought."""
        return not self.choice and _ACCOUNT.search(self.error_text) is not None

    @property
    def is_about_key(self) -> bool:
        """Whether the key was refused."""
        return self.status in {401, 403} or _KEY.search(self.error_text) is not None

    @property
    def is_about_model(self) -> bool:
        """Whether the model is not there; a 404 that names no model is about the path."""
        names_it = self.status == 404 and "model" in self.error_text.lower()
        return names_it or _MODEL.search(self.error_text) is not None


class ProbeClient:
    """Calls one upstream; `skew_s` is how many seconds this machine's clock is ahead of its own."""

    def __init__(self, upstream: CheckedUpstream) -> None:
        """Call `upstream`, with a key where it has one."""
        self.skew_s: float | None = None
        self._upstream = upstream
        self._timeout = min(upstream.timeouts.first_byte, MAX_ANSWER_S)

    def send(self, path: str, document: Mapping[str, Any] | None = None) -> ProbeResponse:
        """GET a path below the base address, or POST a JSON document to it.

        Raises OSError (TimeoutError among them) where no HTTP response came in time.
        """
        try:
            with requests.Session() as session:
                session.trust_env = False
                return self._send(session, path, document)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise TimeoutError from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ConnectionError from error

    def _send(
        self, session: requests.Session, path: str, document: Mapping[str, Any] | None
    ) -> ProbeResponse:
        key = self._upstream.endpoint.key
        response = session.request(
            "GET" if document is None else "POST",
            self._upstream.endpoint.url + path,
            data=None if document is None else orjson.dumps(document),
            headers={
                "User-Agent": "llm_api",
                "Accept": "application/json, text/event-stream",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
            }
            | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=(self._upstream.connect_timeout, self._timeout),
            allow_redirects=False,
            verify=self._upstream.ca_bundle,
            stream=True,
        )
        with closing(response):
            self._record_clock(response.headers.get("Date", ""))
            body = b"".join(self._pieces(response))
        return ProbeResponse(
            status=response.status_code,
            kind=response.headers.get("Content-Type", "").lower(),
            location=response.headers.get("Location", ""),
            body=body,
            document=_parsed(body),
        )

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body up to the byte cap; raises TimeoutError at the deadline."""
        deadline = time.monotonic() + self._timeout
        size = 0
        while size < _MAX_BYTES and (piece := response.raw.read1(65_536, decode_content=True)):
            size += len(piece)
            yield piece
            if time.monotonic() > deadline:
                raise TimeoutError

    def _record_clock(self, date: str) -> None:
        try:
            self.skew_s = time.time() - parsedate_to_datetime(date).timestamp()
        except ValueError:  # absent or malformed
            return


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
