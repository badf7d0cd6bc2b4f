"""Makes the calls of an examination: small, bounded, and with nothing of the environment.

Apart from `transport.py`, whose calls are repeated, counted and broken off by rules of their own.
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

from llm_api.diagnostics.upstream_route import Subject

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
class Answer:
    """An answer, read up to a byte cap; `document` is its JSON, None where it is not JSON."""

    status: int
    kind: str
    location: str
    body: bytes = field(repr=False)
    document: Any = field(repr=False)

    @property
    def words(self) -> str:
        """The words by which an error identifies itself, to be matched and never shown."""
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
        return not self.choice and _ACCOUNT.search(self.words) is not None

    @property
    def is_about_key(self) -> bool:
        """Whether the key was refused."""
        return self.status in {401, 403} or _KEY.search(self.words) is not None

    @property
    def is_about_model(self) -> bool:
        """Whether the model is not there; a 404 that names no model is about the path."""
        names_it = self.status == 404 and "model" in self.words.lower()
        return names_it or _MODEL.search(self.words) is not None


class Asker:
    """Calls one upstream, and notes by its answers how far its clock is from ours."""

    def __init__(self, subject: Subject) -> None:
        """Connect to nothing yet."""
        self.skew_s: float | None = None
        self._subject = subject
        self._timeout = min(subject.timeouts.first_byte, MAX_ANSWER_S)

    def ask(self, path: str, document: Mapping[str, Any] | None = None) -> Answer:
        """GET the path, or POST the document to it.

        Raises OSError (TimeoutError among them) where no answer in HTTP came in time.
        """
        try:
            with requests.Session() as session:
                return self._ask(session, path, document)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise TimeoutError from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ConnectionError from error

    def _ask(
        self, session: requests.Session, path: str, document: Mapping[str, Any] | None
    ) -> Answer:
        session.trust_env = False
        key = self._subject.endpoint.key
        response = session.request(
            "GET" if document is None else "POST",
            self._subject.endpoint.url + path,
            data=None if document is None else orjson.dumps(document),
            headers={
                "User-Agent": "llm_api",
                "Accept": "application/json, text/event-stream",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
            }
            | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=(self._subject.connect_timeout, self._timeout),
            allow_redirects=False,
            verify=self._subject.ca_bundle,
            stream=True,
        )
        with closing(response):
            self._note_clock(response.headers.get("Date", ""))
            body = b"".join(self._pieces(response))
        return Answer(
            status=response.status_code,
            kind=response.headers.get("Content-Type", "").lower(),
            location=response.headers.get("Location", ""),
            body=body,
            document=_parsed(body),
        )

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Read until the end, the cap, or the end of the time; what came by then is enough."""
        deadline = time.monotonic() + self._timeout
        size = 0
        while size < _MAX_BYTES and (piece := response.raw.read1(65_536, decode_content=True)):
            size += len(piece)
            yield piece
            if time.monotonic() > deadline:
                raise TimeoutError

    def _note_clock(self, date: str) -> None:
        try:
            self.skew_s = time.time() - parsedate_to_datetime(date).timestamp()
        except ValueError:  # there is none, or it is none
            return


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
