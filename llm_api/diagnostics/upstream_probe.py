"""A bounded HTTP client for the checks; it uses no proxy or credentials of the environment.

Not `upstream/http/transport.py`, whose calls are retried, counted and cut off by deadlines.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests
import urllib3

from llm_api.diagnostics.upstream_route import CheckedUpstream
from llm_api.errors import ApiError
from llm_api.upstream.faults import StreamingRequired
from llm_api.upstream.vendors.error_body import read_error
from llm_api.upstream.vendors.errors import ErrorClassifier

MAX_ANSWER_S = 10.0
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """A response, read up to 1 MiB; `document` is its JSON, None where it is not JSON.

    `reason` is what its error means and `is_retryable` whether it passes, as calls are told it.
    """

    status: int
    kind: str
    location: str
    body: bytes = field(repr=False)
    document: Any = field(repr=False)
    reason: str | None = None
    is_retryable: bool = False

    @property
    def error_text(self) -> str:
        """Code, type and message of an error, to be matched and never quoted."""
        return "" if self.choice or self.document is None else read_error(self.document).words

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
        """Whether the account is overdue or its quota spent."""
        is_spent = self.reason == "upstream_rate_limited" and not self.is_retryable
        return self.reason == "upstream_account" or is_spent

    @property
    def is_about_key(self) -> bool:
        """Whether the key was refused."""
        return self.reason == "upstream_auth"

    @property
    def is_about_model(self) -> bool:
        """Whether the model is not there, or not for this account."""
        names_it = self.status != 404 or "model" in self.error_text.lower()  # else it is the path
        return self.reason == "model_not_found" and names_it


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
        answer = ProbeResponse(
            status=response.status_code,
            kind=response.headers.get("Content-Type", "").lower(),
            location=response.headers.get("Location", ""),
            body=body,
            document=_parsed(body),
        )
        error = self._error_of(response, answer)
        if error is None:
            return answer
        return replace(answer, reason=error.reason, is_retryable=error.retryable)

    def _error_of(self, response: requests.Response, answer: ProbeResponse) -> ApiError | None:
        """Return what the calls of the service would say of an answer; None for a good one."""
        classifier = ErrorClassifier(self._upstream.rules)
        try:
            if answer.status != requests.codes.ok:
                return classifier.of_status(response, answer.body).error
            return classifier.of_embedded(answer.document).error if answer.error_text else None
        except StreamingRequired as refusal:
            return refusal.fault.error

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
