"""What callers see of making pictures: a job, its pictures, and a preview of what it would send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llm_api.domain.calls import CallReport
from llm_api.domain.files import StoredFile
from llm_api.domain.making import MadeUsage, MakingFailure, Notice
from llm_api.domain.tasks import TaskState
from llm_api.errors import ApiError


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A picture that was made and is kept; `index` is its place among those that were wanted."""

    file: StoredFile
    index: int
    seed: int | None = None
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class ImageJob:
    """A request for pictures, and what has become of it.

    Attributes:
        id: `img_…`, unguessable.
        kind: `image`, or `layout_sketch` for what the built-in sketch has drawn.
        model: its name at the vendor; `requested_model` is what the caller has named.
        upstream: that which has made the pictures, or is to.
        prompt_used: what was sent, after optimization and with commands made harmless.
        vendor_prompt: the vendor's own rewrite, if it told.
        failed: the pictures that were not made, by their places.
        quality, output_format, background: as they were sent; None for the vendor's own choice.
        cost_micro: millionths of `currency`; None where it is not known (yet).
        expires_at: when the job and its pictures are deleted.
        poll_after_ms: when to look at it again, while it has not ended.
        error: why there is no picture, once it has ended without one.
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
    kind: str = "image"
    is_optimized: bool = False
    vendor_prompt: str | None = None
    pictures: tuple[MadePicture, ...] = ()
    failed: tuple[tuple[int, MakingFailure], ...] = ()
    notices: tuple[Notice, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    quality: str | None = None
    output_format: str | None = None
    background: str | None = None
    usage: MadeUsage = field(default_factory=MadeUsage)
    cost_micro: int | None = None
    currency: str | None = None
    upstream_ms: int = 0
    poll_after_ms: int = 1_000
    error: ApiError | None = None
    report: CallReport = field(default_factory=CallReport)


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """What a request would send, and what it would cost at most; None where that is not known.

    `requests` have `method`, `url` and `body`, without the bytes of pictures.
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
