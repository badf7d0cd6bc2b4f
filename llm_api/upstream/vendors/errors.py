"""Classifies the errors that an upstream answers with.

Which code of which vendor means what is data: the `[[errors]]` of `config/profiles/`. What each
meaning is answered with stands in `error_meanings.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from llm_api.domain.calls import Operation
from llm_api.errors import ApiError, InvalidRequest, NotFound, RateLimited
from llm_api.upstream.faults import MAX_RETRY_AFTER, Fault, StreamingRequired
from llm_api.upstream.vendors.error_body import VendorError, error_in, read_error
from llm_api.upstream.vendors.error_meanings import (
    ONLY_STREAMS,
    QUOTA_SPENT,
    REASONS,
    Refusal,
    of_plain_status,
)
from llm_api.upstream.vendors.error_rules import ErrorRule, find_rule, unquoted
from llm_api.upstream.vendors.operator_words import operator_words
from llm_api.upstream.vendors.profiles import PATHS

_REPEATED = frozenset([408, 429, 500, 502, 503, 504, 529])
_MODEL = re.compile(r"model|endpoint|模型", re.IGNORECASE)
_SAID_WAIT = re.compile(
    r"(?:retry|try again|wait)[^.\d]{0,20}(\d{1,5})(?:\.\d+)? ?s(?:ec|\b)", re.IGNORECASE
)
_POINTED_AT = re.compile(
    r"\b(?:items?|files?|containers?|vector[ _]?stores?|conversations?|previous_response\w*"
    r"|connectors?|skills?|prompts?)\b|\bid\b",
    re.IGNORECASE,
)
_OF_THE_REQUEST = re.compile(r"\b(?:tools?|parameters?|fields?|arguments?)\b", re.IGNORECASE)
# Some models are for chats alone, such as those of OpenAI that speak.
_CHATS_ONLY = re.compile(
    r"(?:not|n't|un)[ -]?(?:be )?(?:currently )?(?:support\w*|available|used|compatible)\b"
    r"[^.;]{0,40}\bresponses(?: api| endpoint|\b)"
    r"|\bresponses(?: api| endpoint)? (?:is|are) not (?:supported|available|enabled)"
    r"|only (?:supported|available) (?:in|with|on|by|via|through)\b[^.;]{0,20}"
    r"chat[ /_]?completions",
    re.IGNORECASE,
)
# Errors whose sentences nobody writes prompts into.
ABOUT_THE_SERVICE = frozenset(["upstream_account", "upstream_auth", "upstream_rate_limited"])
# Answers that are about the upstream's key or account by themselves.
_ABOUT_THE_KEY = frozenset([401, 402])
# What is too dear for what is left on the account: one request, and a smaller one may be paid.
_OF_ONE_REQUEST = re.compile(
    r"can(?: only|.?t|not) afford|fewer (?:max_)?tokens|pre_?consume|预扣"
    r"|(?:lower|reduce|smaller) (?:the |your )?max_"
    r"|\b(?:need\w*|requir\w*|costs?)\b[^;]{0,40}\b(?:have|has|remain\w*|left|available)\b"
    r"|\b(?:estimated|this|the) (?:request|cost|call)\b[^.;]{0,30}\b(?:cost|exceed|require)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ErrorClassifier:
    """Classifies the errors of one upstream; the first matching rule decides.

    `model_was_named` says that the caller named the model, so that a missing one is its mistake;
    `cap_field` is the caller's name for the cap on tokens; `secrets` are the upstream's keys.
    """

    rules: Sequence[ErrorRule] = ()
    operation: Operation = Operation.CHAT
    model_was_named: bool = True
    cap_field: str = "max_tokens"
    secrets: Sequence[str] = field(default=(), repr=False)

    def of_status(
        self,
        response: requests.Response,
        body: bytes,
        request: Mapping[str, Any] | None = None,
    ) -> Fault:
        """Return the fault of a `response` whose status is not 200, with its `body`.

        `request` is the body that it is the answer to, whose words are not kept. Raises
        StreamingRequired.
        """
        status = response.status_code
        sent = error_in(body)
        if self._lacks_path(status, sent):
            return Fault(without_path(self.operation))
        wait = asked_wait(response.headers.get("Retry-After", ""), sent)
        try:
            return self._told(self._classify(status, sent, wait), status, sent, request)
        except StreamingRequired as refusal:
            raise StreamingRequired(self._told(refusal.fault, status, sent, request)) from None

    def _lacks_path(self, status: int, sent: VendorError) -> bool:
        """Whether an error says that the upstream, or this model of it, has no such route."""
        if self.operation is Operation.CHAT:
            return False
        is_unknown = _is_unknown_path(status, sent.words)
        if self.operation is not Operation.RESPONSES:
            return is_unknown
        # What a request points at is not found either: a file, an item, a tool's store.
        is_unknown = is_unknown and _POINTED_AT.search(sent.words) is None
        return is_unknown or _says_chats_only(status, sent)

    def of_embedded(self, error: object) -> Fault:
        """Return the fault of an error that came inside an answer with status 200.

        `error` is what stands for it there, in any form: an object, a text, a list, a `base_resp`.
        """
        sent = read_error(error)
        try:
            fault = self._classify(sent.status, sent, None, has_begun=True)
        except StreamingRequired as refusal:
            fault = refusal.fault
        return self._told(fault, sent.status, sent, None)

    def _told(
        self,
        fault: Fault,
        status: int | None,
        sent: VendorError,
        request: Mapping[str, Any] | None,
    ) -> Fault:
        """Add what the operator is told of a fault; nothing that may repeat an unknown request."""
        said = ""
        if fault.error.reason in ABOUT_THE_SERVICE:
            said = operator_words(sent, self.secrets)
        elif request is not None:
            said = operator_words(sent, self.secrets, request)
        return fault.with_error(fault.error.replaced(upstream_status=status, upstream_said=said))

    def _classify(
        self, status: int | None, sent: VendorError, wait: int | None, *, has_begun: bool = False
    ) -> Fault:
        """Return the fault for the caller; an answer that `has_begun` is not asked for again.

        The upstream's own words decide first, then its status, if it has one.
        """
        refusal = Refusal(
            status or 500, sent, self.operation, self.model_was_named, self.cap_field, wait
        )
        rule, is_by_code = find_rule(self.rules, status, sent)
        is_certain = is_by_code or status in _ABOUT_THE_KEY
        if is_certain and _OF_ONE_REQUEST.search(sent.words):
            is_certain = False  # what a caller asked for is the reason
        if rule is None:
            error = of_plain_status(refusal)
            is_repeatable = status in _REPEATED and not has_begun
            return _fault(error, is_repeatable=is_repeatable, wait=wait, is_certain=is_certain)
        if rule.reason == ONLY_STREAMS:
            raise StreamingRequired(_fault(REASONS[rule.reason](refusal), is_certain=False))
        error = REASONS[rule.reason](refusal).replaced(hint=rule.hint)
        if rule.retryable is not None:
            error = error.replaced(retryable=rule.retryable)
        is_repeatable = (status in _REPEATED or bool(rule.retryable)) and not has_begun
        return _fault(error, is_repeatable=is_repeatable, wait=wait, is_certain=is_certain)


def without_path(operation: Operation) -> NotFound:
    """Return the error of an upstream that has no route for an operation."""
    message = f"The model service has no {PATHS[operation]}; another model may have it."
    return NotFound(message, reason="not_supported")


def _fault(
    error: ApiError, *, is_certain: bool, is_repeatable: bool = False, wait: int | None = None
) -> Fault:
    if isinstance(error, RateLimited) and not error.retryable:
        error = error.replaced(message=QUOTA_SPENT, retry_after=None)  # no wait would help
    # SDKs ignore a longer Retry-After than they are used to, and come too early.
    if wait is not None and wait > MAX_RETRY_AFTER:
        error = error.replaced(retries_exhausted=True)
    return Fault(
        error,
        is_repeatable=is_repeatable and error.retryable,
        wait=wait,
        allows_failover=not isinstance(error, InvalidRequest),
        is_certain=is_certain,
    )


PLAIN = ErrorClassifier()  # goes by the status alone


def is_usage_refused(response: requests.Response, body: bytes) -> bool:
    """Whether a `response` with this `body` refuses to send the usage of a stream."""
    words = re.compile(rb"stream_options|include_usage", re.IGNORECASE)
    return response.status_code in {400, 422} and words.search(body) is not None


def _is_unknown_path(status: int, words: str) -> bool:
    return status in {405, 501} or (status == 404 and not _MODEL.search(words))


def _says_chats_only(status: int, sent: VendorError) -> bool:
    words = unquoted(sent)  # what is quoted can be a caller's own words
    is_of_model = _MODEL.search(words) is not None and _OF_THE_REQUEST.search(words) is None
    return status in {400, 404, 422} and is_of_model and _CHATS_ONLY.search(words) is not None


def asked_wait(text: str, sent: VendorError) -> int | None:
    """Return for how many seconds an upstream asks to be left alone, in a header or in words.

    `text` is its Retry-After, empty where there is none.
    """
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    said = _SAID_WAIT.search(sent.message)
    return None if said is None else int(said[1]) + 1
