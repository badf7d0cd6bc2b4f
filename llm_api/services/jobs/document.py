"""What the task of a job keeps: all that another process needs to go on with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import orjson

from llm_api.domain.calls import Attempt, Caller
from llm_api.domain.json_values import from_json
from llm_api.domain.making import FittedRequest, MadeUsage, MakingFailure, Notice, Size, VendorFile
from llm_api.errors import ApiError, ContentFiltered, FieldError, InvalidRequest, ServiceError

NEW, SUBMITTING, SUBMITTED = "new", "submitting", "submitted"
DONE, FAILED, UNKNOWN = "done", "failed", "unknown"
FILTERED = "content_filtered"
IMAGE, VIDEO = "image", "video"  # the kinds of tasks that are jobs
KINDS = frozenset({IMAGE, VIDEO})
ENDED = frozenset({DONE, FAILED, UNKNOWN})


@dataclass(frozen=True, slots=True)
class KnownError:
    """An ApiError as it is stored."""

    status: int
    reason: str
    message: str
    retryable: bool = False
    retry_after: int | None = None
    retries_exhausted: bool = False
    allows_failover: bool = False
    may_have_charged: bool = False
    hint: str | None = None
    stage: str | None = None
    what: str | None = None
    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, error: ApiError) -> Self:
        """Describe an error."""
        named = error.fields if isinstance(error, InvalidRequest) else ()
        filtered = error if isinstance(error, ContentFiltered) else None
        return cls(
            error.status,
            error.reason,
            error.message,
            error.retryable,
            error.retry_after,
            error.retries_exhausted,
            error.allows_failover,
            error.may_have_charged,
            error.hint,
            None if filtered is None else filtered.stage,
            None if filtered is None else filtered.what,
            tuple((one.field, one.message) for one in named),
        )

    def error(self) -> ApiError:
        """Return the error again."""
        kind = ContentFiltered if self.reason == FILTERED else _class_of(self.status)
        error: ApiError
        if issubclass(kind, InvalidRequest):
            named = [FieldError(*one) for one in self.fields]
            error = kind(self.message, reason=self.reason, fields=named)
        else:
            error = kind(
                self.message,
                reason=self.reason,
                retryable=self.retryable,
                retry_after=self.retry_after,
            )
        return error.replaced(
            retries_exhausted=self.retries_exhausted,
            allows_failover=self.allows_failover,
            may_have_charged=self.may_have_charged,
            hint=self.hint,
            **({"stage": self.stage, "what": self.what} if self.reason == FILTERED else {}),
        )


def _class_of(status: int) -> type[ApiError]:
    """Return the class of errors with a status; that of errors of this service for others."""
    kinds = [ApiError]
    for kind in kinds:  # it grows meanwhile
        kinds.extend(
            one
            for one in kind.__subclasses__()
            # Others are made with less than a message and a reason.
            if one.__module__ == ApiError.__module__
        )
    known = {kind.status: kind for kind in reversed(kinds) if hasattr(kind, "status")}
    return known.get(status, ServiceError)


class Wanted(Protocol):
    """What every job knows of a caller's request."""

    @property
    def prompt(self) -> str:
        """What to make; after optimization, the rewrite."""

    @property
    def is_optimized(self) -> bool:
        """Whether our optimizer has rewritten the prompt."""


R_co = TypeVar("R_co", bound=Wanted, covariant=True)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A picture or a film in our store: its file, and what the vendor said of it.

    `beside` has the ids of pictures that came with a film, by what they are; `seconds` is its
    length, and `fps` its frames a second, where its bytes say so.
    """

    file_id: str
    width: int
    height: int
    seed: int | None = None
    prompt: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A vendor call, and what it makes.

    Attributes:
        count: how many it was to make.
        state: `new`, `submitting` (nothing has come back), `submitted` (the vendor works on it, or
            its results are to be fetched), `done`, `failed` (nothing was made), or `unknown`.
        vendor_id: the vendor's task.
        at_work: whether the vendor has begun with it, as far as it says.
        progress: percent, where the vendor tells.
        found: addresses of results that are still to be fetched.
        delivered: how many the vendor has made.
        ms: how long the vendor has taken.
    """

    count: int
    state: str = NEW
    vendor_id: str | None = None
    at_work: bool = False
    progress: int | None = None
    found: tuple[VendorFile, ...] = ()
    kept: tuple[KeptFile, ...] = ()
    failed: tuple[MakingFailure, ...] = ()
    delivered: int = 0
    usage: MadeUsage = field(default_factory=MadeUsage)
    error: KnownError | None = None
    vendor_request_id: str | None = None
    ms: int = 0


@dataclass(frozen=True, slots=True)
class Payer:
    """For whom a job is made, as its usage row has it.

    `name` is that of its limits, `shown_id` what the request is called that asked for the job, and
    `traceparent` its place in a trace, "" for none.
    """

    route: str
    name: str = ""
    tags: str = ""
    lineage_id: str | None = None
    has_budget: bool = False
    group_id: str | None = None
    shown_id: str | None = None
    traceparent: str = ""

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Return who pays for the job that a caller asks for."""
        key = caller.key
        return cls(
            caller.route,
            caller.name,
            caller.tags,
            caller.lineage_id or caller.request_id,
            key is not None and key.has_budgets,
            None if key is None else key.group_id,
            caller.shown_id or None,
            "" if caller.trace is None else caller.trace.traceparent,
        )


@dataclass(frozen=True, slots=True)
class JobDocument(Generic[R_co]):
    """A job as its task keeps it.

    Its subclasses say what is wanted; read as what it is itself, it has JSON in its place.

    Attributes:
        request: with the prompt as it is after optimization.
        upstream: where the parts go.
        others: upstreams and models to try when that one has failed before anything was charged.
        failed_before: how the models failed that were tried before.
        notices: of this service, beside those of `fitted`.
        inputs_of: the task whose files the request's pictures are; "" for the job's own.
        cancel: what became of the wish to cancel it: `too_late` or `not_supported`.
    """

    request: R_co
    prompt_original: str
    fitted: FittedRequest
    upstream: str
    payer: Payer
    requested_model: str | None = None
    others: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    failed_before: KnownError | None = None
    notices: tuple[Notice, ...] = ()
    cancel: str | None = None
    cost_micro: int | None = None
    currency: str | None = None
    callback_url: str | None = None
    inputs_of: str = ""

    def with_part(self, index: int, **changes: Any) -> Self:
        """Return the document with a changed part."""
        changed = replace(self.parts[index], **changes)
        return replace(self, parts=(*self.parts[:index], changed, *self.parts[index + 1 :]))

    def to_json(self) -> Mapping[str, Any]:
        """Write it as JSON."""
        return cast("Mapping[str, Any]", orjson.loads(orjson.dumps(self)))

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Read it."""
        return from_json(cls, document)

    @property
    def sizes(self) -> list[Size]:
        """The sizes of what was kept, as far as they are known."""
        kept = [one for part in self.parts for one in part.kept]
        return [Size(one.width, one.height) for one in kept if one.width and one.height]


def new_parts(fitted: FittedRequest) -> tuple[Part, ...]:
    """Return the parts of a job that was not sent yet."""
    return tuple(Part(count) for count in fitted.parts)
