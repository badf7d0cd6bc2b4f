"""The exit codes of all commands, and the failures that end a command with one of them."""

import json
from collections.abc import Mapping
from typing import IO, Any

import click

FAILED = 1  # the service, the model, a store or a file has failed
WRONG_USAGE = 2  # the command line or the request is wrong; the same again would be, too
UNFINISHED = 3  # not ready yet: the same command, or a look later on, gets the rest
DIFFERS = 4  # an answer that is not quite what was hoped for, such as fewer pictures
UNREACHABLE = 5  # no service was reached
REFUSED = 6  # the key is missing, wrong, or not for this
RETRY_LATER = 7  # a limit or budget is used up, or the service is busy; it comes back
INTERRUPTED = 130  # by Ctrl-C, as shells have it: 128 and SIGINT

_BY_STATUS = {401: REFUSED, 403: REFUSED, 408: RETRY_LATER, 429: RETRY_LATER}
# What was asked for was right in form, and nobody would make it.
_FAILURES = frozenset({"content_filtered", "moderation_blocked"})
_BUSY = 503


class CommandFailed(click.ClickException):
    """Ends a command with a sentence and an exit code.

    `document` is the error as JSON, for `--json`: the envelope of the API.
    """

    def __init__(
        self, message: str, exit_code: int, document: Mapping[str, Any] | None = None
    ) -> None:
        """Create a failure; `exit_code` is one of this module."""
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance
        self.document = document or {"error": {"message": message}}

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence, and the id of the request, by which logs and `usage show` know it."""
        del file
        details = self.document["error"].get("details") or {}
        request_id = details.get("request_id")
        behind = f" (request {request_id})" if request_id else ""
        click.echo(f"Error: {self.message}{behind}", err=True)


def exit_code_of(status: int, reason: str | None, *, is_retryable: bool) -> int:
    """Return the exit code for an error of the API.

    Args:
        status: of HTTP.
        reason: the envelope's.
        is_retryable: whether the envelope says that the same request may succeed later.
    """
    if reason in _FAILURES:
        return FAILED
    if status == _BUSY and is_retryable:
        return RETRY_LATER
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return WRONG_USAGE if 400 <= status < 500 and status != 410 else FAILED


def failure_of(status: int, document: Any) -> CommandFailed:
    """Return the failure for an error response; `document` is its body, of whatever form."""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        # Of a proxy, or of something that is no llm_api.
        said = f"The answer is {status}, and not one of llm_api; is the address right?"
        return CommandFailed(said, exit_code_of(status, None, is_retryable=False))
    details = error.get("details") or {}
    is_retryable = bool(details.get("retryable"))
    code = exit_code_of(status, details.get("reason"), is_retryable=is_retryable)
    return CommandFailed(error["message"], code, document)


def failure_of_stream(document: Mapping[str, Any]) -> CommandFailed:
    """Return the failure for an error in a stream, whose status was 200 already."""
    statuses = {"rate_limit_error": 429, "authentication_error": 401, "permission_error": 403}
    return failure_of(statuses.get(document["error"].get("type"), 500), document)


def json_text(document: Any) -> str:
    """Write a document for `--json`."""
    return json.dumps(document, indent=2, ensure_ascii=False)
