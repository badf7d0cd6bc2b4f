"""What callers see of a job, and of what it would send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llm_api.domain.calls import CallReport
from llm_api.domain.making import MadeUsage, Notice
from llm_api.domain.tasks import TaskState
from llm_api.errors import ApiError


@dataclass(frozen=True, slots=True)
class Job:
    """A request for what a vendor makes, and what has become of it.

    Attributes:
        id: unguessable, with a prefix that says what it is.
        model: its name at the vendor; `requested_model` is what the caller has named.
        upstream: that which has made it, or is to.
        prompt_used: what was sent, after optimization and with commands made harmless.
        details: what the vendor says beside it.
        cost_micro: millionths of `currency`; None where it is not known (yet).
        expires_at: when the job and its files are deleted.
        poll_after_ms: when to look at it again, while it has not ended.
        error: why nothing was made, once it has ended without anything.
        report: what is known of the calls.
    """

    id: str
    state: TaskState
    created_at: datetime
    expires_at: datetime
    model: str
    upstream: str
    prompt_original: str
    prompt_used: str
    request_id: str = ""
    requested_model: str | None = None
    is_optimized: bool = False
    notices: tuple[Notice, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    usage: MadeUsage = field(default_factory=MadeUsage)
    cost_micro: int | None = None
    currency: str | None = None
    upstream_ms: int = 0
    poll_after_ms: int = 1_000
    error: ApiError | None = None
    report: CallReport = field(default_factory=CallReport)


@dataclass(frozen=True, slots=True)
class JobPreview:
    """What a request would send, and what it would cost at most; None where that is not known.

    `requests` have `method`, `url` and `body`, without the bytes of files.
    """

    model: str
    upstream: str
    prompt_original: str
    prompt_used: str
    requests: tuple[Mapping[str, Any], ...]
    is_optimized: bool = False
    notices: tuple[Notice, ...] = ()
    cost_micro: int | None = None
    currency: str | None = None
    report: CallReport = field(default_factory=CallReport)
