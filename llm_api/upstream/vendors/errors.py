"""Classifies the errors that an upstream answers with.

Which code of which vendor means what is data: the `[[errors]]` of `config/profiles/`. Here stands
what each meaning is answered with.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import requests

from llm_api.domain.calls import Operation
from llm_api.errors import (
    ApiError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    UpstreamFault,
)
from llm_api.upstream.faults import MAX_RETRY_AFTER, Fault, StreamingRequired, timed_out
from llm_api.upstream.vendors.error_rules import ErrorRule, error_in, message_of, words_of
from llm_api.upstream.vendors.profiles import PATHS
from llm_api.upstream.vendors.redaction import redacted

_TEXT_FIELDS = {
    Operation.CHAT: "messages",
    Operation.TEXT: "prompt",
    Operation.EMBEDDINGS: "input",
}
_REPEATED = frozenset([408, 429, 500, 502, 503, 504])
_MODEL = re.compile(r"model|endpoint", re.IGNORECASE)
_ONLY_STREAMS = "only_streams"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error as the upstream sent it; `message` must not reach the caller unredacted."""

    status: int
    message: str
    headers: Mapping[str, str]
    operation: Operation
    model_was_named: bool


@dataclass(frozen=True, slots=True)
class ErrorClassifier:
    """Classifies the errors of one upstream; the first matching rule decides.

    `model_was_named` says that the caller named the model, so that a missing one is its mistake.
    """

    rules: Sequence[ErrorRule] = ()
    operation: Operation = Operation.CHAT
    model_was_named: bool = True

    def of_status(self, response: requests.Response, body: bytes) -> Fault:
        """Return the fault of a `response` whose status is not 200, with its `body`.

        Raises StreamingRequired.
        """
        status = response.status_code
        error = error_in(body)
        if self.operation is not Operation.CHAT and _is_unknown_path(status, words_of(error)):
            return Fault(
                NotFound(
                    f"The model service has no {PATHS[self.operation]}; another model may have it.",
                    reason="not_supported",
                )
            )
        answer, is_repeatable = self._classify(status, error, response.headers)
        wait = _asked_wait(response.headers)
        # SDKs ignore a longer Retry-After than they are used to, and come too early.
        answer = answer.replaced(retries_exhausted=wait is not None and wait > MAX_RETRY_AFTER)
        return _fault(answer, is_repeatable=is_repeatable, wait=wait)

    def of_embedded(self, error: object) -> Fault:
        """Return the fault of an error that came inside an answer with status 200."""
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else None
        try:
            answer, _ = self._classify(status, error, {})
        except StreamingRequired as refusal:
            return refusal.fault
        return _fault(answer, is_repeatable=False)  # the answer has begun

    def _classify(
        self, status: int | None, sent: object, headers: Mapping[str, str]
    ) -> tuple[ApiError, bool]:
        """Return the error for the caller, and whether the attempt may be repeated.

        The upstream's own words decide first, then its status, if it has one.
        """
        refusal = _Refusal(
            status or 500, message_of(sent), headers, self.operation, self.model_was_named
        )
        rule = next((rule for rule in self.rules if rule.fits(status, sent)), None)
        if rule is None:
            error = _of_plain_status(refusal)
            return error, status in _REPEATED and error.retryable
        if rule.reason == _ONLY_STREAMS:
            raise StreamingRequired(Fault(_rejected(refusal)))
        error = REASONS[rule.reason](refusal).replaced(hint=rule.hint)
        if rule.retryable is not None:
            error = error.replaced(retryable=rule.retryable)
        return error, error.retryable and (status in _REPEATED or bool(rule.retryable))


def _fault(error: ApiError, *, is_repeatable: bool, wait: int | None = None) -> Fault:
    return Fault(
        error,
        is_repeatable=is_repeatable,
        wait=wait,
        allows_failover=not isinstance(error, InvalidRequest),
    )


PLAIN = ErrorClassifier()  # goes by the status alone


def is_usage_refused(response: requests.Response, body: bytes) -> bool:
    """Whether a `response` with this `body` refuses to send the usage of a stream."""
    words = re.compile(rb"stream_options|include_usage", re.IGNORECASE)
    return response.status_code in {400, 422} and words.search(body) is not None


def _of_plain_status(refusal: _Refusal) -> ApiError:
    status = refusal.status
    if 300 <= status < 400:
        message = "The model service answered with a redirect, which is not followed."
        return UpstreamFault(message, reason="upstream_redirect")
    if status in {401, 403}:
        return _auth(refusal)
    if status == 404:
        return _model_missing(refusal)
    if status in {408, 504}:
        return timed_out().error
    if status == 429:
        return _rate_limited(refusal)
    if 400 <= status < 500:
        return _rejected(refusal)
    if status == 503:
        return _unavailable(refusal)
    message = "The model service failed."
    return UpstreamFault(message, reason="upstream_error", retryable=True)


def _content_filtered(_: _Refusal) -> ApiError:
    message = "The model service's content filter refused the request."
    return InvalidRequest(message, reason="content_filtered")


def _context_overflow(refusal: _Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        # LangChain knows the case by the words "prompt is too long".
        "must be shorter: the prompt is too long for the model's context.",
        reason="context_length_exceeded",
    )


def _image_not_fetched(refusal: _Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        "must name pictures that the model service can download in time.",
        reason="image_fetch_failed",
    )


def _rejected(refusal: _Refusal) -> ApiError:
    said = redacted(refusal.message)
    message = (
        f"The model service refused the request as invalid: {said}"
        if said
        else "The model service refused the request as invalid: a parameter is one that this"
        " model does not accept."
    )
    return InvalidRequest(message, reason="upstream_rejected")


def _account(_: _Refusal) -> ApiError:
    message = "The model service refused this service's account; tell the operator."
    return UpstreamFault(message, reason="upstream_account")


def _auth(_: _Refusal) -> ApiError:
    message = "The model service refused this service's key; tell the operator."
    return UpstreamFault(message, reason="upstream_auth")


def _model_missing(refusal: _Refusal) -> ApiError:
    if refusal.model_was_named:
        return NotFound.of_field(
            "model", "must be a model the model service has.", reason="model_not_found"
        )
    return UpstreamFault(
        "The model service does not have the configured model; tell the operator.",
        reason="upstream_model_missing",
    )


def _rate_limited(refusal: _Refusal) -> ApiError:
    return RateLimited(
        "The model service is limiting the rate of requests; try again later.",
        reason="upstream_rate_limited",
        retry_after=_retry_after(refusal.headers) or 1,
    )


def _unavailable(refusal: _Refusal) -> ApiError:
    return Unavailable(
        "The model service is unavailable at the moment.",
        reason="upstream_unavailable",
        retry_after=_retry_after(refusal.headers) or 1,
    )


def _starting(_: _Refusal) -> ApiError:
    return Unavailable(
        "The model service is starting; try again in a few seconds.",
        reason="upstream_starting",
        retry_after=5,
    )


# The meanings that a rule can give to an error.
REASONS: Mapping[str, Callable[[_Refusal], ApiError]] = {
    "content_filtered": _content_filtered,
    "context_length_exceeded": _context_overflow,
    "image_fetch_failed": _image_not_fetched,
    "model_missing": _model_missing,
    _ONLY_STREAMS: _rejected,  # if it cannot be asked again
    "upstream_account": _account,
    "upstream_auth": _auth,
    "upstream_rate_limited": _rate_limited,
    "upstream_rejected": _rejected,
    "upstream_starting": _starting,
    "upstream_unavailable": _unavailable,
}


def _is_unknown_path(status: int, words: str) -> bool:
    return status in {405, 501} or (status == 404 and not _MODEL.search(words))


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Read `Retry-After` in seconds, brought into the 1 to 60 that every SDK honours."""
    wait = _asked_wait(headers)
    return None if wait is None else min(max(wait, 1), MAX_RETRY_AFTER)


def _asked_wait(headers: Mapping[str, str]) -> int | None:
    """Read for how many seconds an upstream asks to be left alone."""
    text = headers.get("Retry-After", "")
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None
