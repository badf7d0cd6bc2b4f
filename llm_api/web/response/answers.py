"""Writes the results of services as responses, and says in headers what became of a request."""

import gzip
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson
from flask import Response, g, request

from llm_api.domain.calls import CallReport, CallResult
from llm_api.web.request.context import RequestState

_MAX_NAMED = 20
_MAX_NAME = 64
_MAX_WARNINGS = 1_000
P = ParamSpec("P")
T = TypeVar("T")


class _WholeResponse(Response):
    """A response whose headers and body are complete when it is made.

    For each, werkzeug looks for addresses to complete, lengths to add and texts to encode, and
    calls what is to be done at the end through an iterator of its own: 20 µs of CPU.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send the response, where nothing is to be done behind it."""
        if self._on_close or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return cast("list[bytes]", self.response)


def json_response(document: Any, status: int = 200) -> Response:
    """Return a JSON response with a `status`; a `document` of bytes is taken for JSON already."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return _WholeResponse(body, status=status, content_type="application/json")


def takes_gzip() -> bool:
    """Whether the client of the request takes bodies that are compressed by gzip."""
    return request.accept_encodings["gzip"] > 0


def compressed_response(compressed: bytes) -> Response:
    """Return JSON that is kept compressed by gzip, as it is for those who take that."""
    is_taken = takes_gzip()
    response = json_response(compressed if is_taken else gzip.decompress(compressed))
    response.headers["Vary"] = "Accept-Encoding"
    if is_taken:
        response.headers["Content-Encoding"] = "gzip"
    return response


def answers_with(
    write: Callable[[T], Response],
) -> Callable[[Callable[P, CallResult[T]]], Callable[P, Response]]:
    """Decorate a view that returns the result of a call: `write` makes the response of its answer.

    The response names dropped fields, a fallback and a rewrite; the rest of the report is kept for
    the headers that every response has.
    """

    def decorate(view: Callable[P, CallResult[T]]) -> Callable[P, Response]:
        @wraps(view)
        def respond(*args: P.args, **kwargs: P.kwargs) -> Response:
            return answer_with(view(*args, **kwargs), write)

        return respond

    return decorate


def answer_with(result: CallResult[T], write: Callable[[T], Response]) -> Response:
    """Return the response that `write` makes of the result of a call, as `answers_with` does."""
    response = write(result.answer)
    state: RequestState = g.request_state
    state.report = report = result.report
    is_rewrite = report.rewrite_id is not None or report.warnings
    if report.dropped or report.fallback is not None or is_rewrite:
        response.headers.update(report_headers(report))
    return response


def report_headers(report: CallReport) -> dict[str, str]:
    """Return the headers that name dropped fields, a fallback, and a rewrite with its warnings."""
    headers = {}
    if report.dropped:
        # Named for the caller, who would not know otherwise.
        named = map(header_safe, report.dropped[:_MAX_NAMED])
        headers["x-dropped-params"] = ",".join(named)
    if (fallback := report.fallback) is not None:
        requested = f"{fallback.requested_upstream}/{fallback.requested_model}"
        used = f"{fallback.used_upstream}/{fallback.used_model}"
        headers["x-fallback-from"] = header_safe(requested)
        headers["x-fallback-to"] = header_safe(used)
        headers["x-fallback-reason"] = fallback.reason
    if report.rewrite_id is not None:
        headers["x-rewrite-id"] = report.rewrite_id
    if report.warnings:
        headers["x-rewrite-warnings"] = _ascii(" ".join(report.warnings))[:_MAX_WARNINGS]
    return headers


def header_safe(name: str) -> str:
    """Return a name that a caller chose, cut and without characters that a header cannot hold."""
    return _ascii(name.replace(",", "?"))[:_MAX_NAME]


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
