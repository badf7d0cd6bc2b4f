"""What is known of vendor calls whose answers were lost with the process that waited for them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llm_api.domain.calls import Attempt
from llm_api.domain.files import StoredFile
from llm_api.errors import ApiError, Unavailable
from llm_api.services.jobs.document import (
    DONE,
    SUBMITTING,
    UNKNOWN,
    JobDocument,
    KeptFile,
    KnownError,
)


def without_doubts(document: JobDocument[Any], files: Sequence[StoredFile]) -> JobDocument[Any]:
    """End the parts that were submitted when the process died: never is one sent again.

    It may have kept pictures before: those among the `files` of the job, each of them whole, that
    belong to no other part are theirs. A part that has all of its pictures is done; of any other
    nobody can say whether the vendor has made it.
    """
    listed = {kept.file_id for part in document.parts for kept in part.kept}
    strays = deque(
        KeptFile(file.id, file.width or 0, file.height or 0)
        for file in files
        if not file.is_input and file.id not in listed
    )
    for index, part in enumerate(document.parts):
        if part.state == SUBMITTING:
            kept = tuple(strays.popleft() for _ in range(min(part.count, len(strays))))
            document = _ended(document, index, kept)
    return document


def _ended(document: JobDocument[Any], index: int, kept: tuple[KeptFile, ...]) -> JobDocument[Any]:
    is_whole = len(kept) == document.parts[index].count
    fitted, upstream = document.fitted, document.upstream
    unknown = unknown_outcome()
    attempt = Attempt(upstream, upstream, fitted.model, None if is_whole else unknown.reason)
    return replace(
        document.with_part(
            index,
            state=DONE if is_whole else UNKNOWN,
            kept=kept,
            delivered=len(kept),
            error=None if is_whole else KnownError.of(unknown),
        ),
        attempts=(*document.attempts, attempt),
    )


def unknown_outcome() -> ApiError:
    """Return the error of a call that ended with its process: nobody knows what the vendor did."""
    error = Unavailable(
        "The service was stopped while the model was at work; whether it has made"
        " anything is not known.",
        reason="outcome_unknown",
        retryable=False,
    )
    return error.replaced(may_have_charged=True)
