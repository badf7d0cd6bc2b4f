"""The nouns of a call to a model: plain values, passed between the layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from llm_api.domain.access import ApiKey, Limits, LimitState
from llm_api.domain.responses_form import ResponsesForm
from llm_api.domain.tracing import Trace
from llm_api.domain.usage import UsageRecord

T_co = TypeVar("T_co", covariant=True)


def never() -> bool:
    """Return False: the default `is_disconnected`, of a caller that cannot disconnect."""
    return False


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a call: in the `queue` for a free place at the upstream, and spent `upstream`.

    `first_token` is the part of the latter until the answer began.
    """

    queue: float = 0.0
    upstream: float = 0.0
    first_token: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call: where it was made and how it ended.

    `endpoint` names the key or address of the upstream; `reason` is None for a success, else the
    `reason` of the error, or why the answer was not used; `status` and `said` are those of an
    upstream's error, the latter scrubbed.
    """

    upstream: str
    endpoint: str
    model: str
    reason: str | None = None
    seconds: float = 0.0
    status: int | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Another model than the requested one has answered; `reason` is why the first failed."""

    requested_upstream: str
    requested_model: str
    used_upstream: str
    used_model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The client behind a request.

    Args:
        request_id: of its usage row and of what is reserved for it: unique.
        route: the route's pattern, such as `/v1/models/<path:model_id>`.
        is_disconnected: whether the client has closed its connection.
        time_limit: seconds that the client is willing to wait, None if it did not say.
        tags: usage tags of the call, as `joined_tags` writes them.
        lineage_id: shared by calls that belong together.
        key: its API key; None where none is required.
        address: its IP address, or its /64 network in IPv6.
        has_reserved: whether its key's budgets were reserved for the call before, with others'.
        requested_model: the name that it asked for, where that only stands for a model.
        shown_id: what the response calls the request, where that is another id.
        on_settled: called with the call's usage row.
        trace: where its spans belong; None where nothing is traced.
    """

    request_id: str
    route: str
    is_disconnected: Callable[[], bool] = never
    time_limit: float | None = None
    tags: str = ""
    lineage_id: str | None = None
    key: ApiKey | None = None
    address: str = ""
    has_reserved: bool = False
    requested_model: str | None = None
    shown_id: str = ""
    on_settled: Callable[[UsageRecord], None] | None = None
    trace: Trace | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name under which limits are counted: the key's id, else the address."""
        return self.address if self.key is None else self.key.id


class Operation(StrEnum):
    """What a model is asked to do."""

    CHAT = "chat"
    TEXT = "text"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A validated request to a model.

    `parameters` is the OpenAI request body without `model`, as JSON. `model` is None if the caller
    leaves the choice to the service. `defaults` are the parameters that the caller has not named.
    `responses` is the same request for upstreams that have OpenAI's Responses API themselves.
    `has_thoughts` and `has_files`: messages have `reasoning_content`, and parts of the type `file`,
    that come from another form of the request: left out or refused where a vendor takes none.
    """

    model: str | None
    parameters: Mapping[str, Any]
    operation: Operation = Operation.CHAT
    defaults: frozenset[str] = frozenset()
    responses: ResponsesForm | None = None
    has_thoughts: bool = False
    has_files: bool = False


@dataclass(slots=True)
class TextLength:
    """The total length of texts, in ASCII and other characters."""

    in_ascii: int = 0
    others: int = 0

    def add(self, text: str) -> None:
        """Add the length of a text."""
        in_ascii = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
        self.in_ascii += in_ascii
        self.others += len(text) - in_ascii


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts of an answer; None where the upstream gave no usable count.

    `source` is `upstream` (counted by it), `missing` (no usage in the answer), `invalid` (not a
    plausible number) or `estimated` (from the texts, for an answer that was cut). `cached_tokens`
    are part of the prompt's, `reasoning_tokens` part of the completion's. `images` were generated.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    source: str = "missing"
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    images: int | None = None

    def plus(self, other: "TokenUsage") -> "TokenUsage":
        """Return the sum with another answer's usage; unknown if either is."""
        if self.prompt_tokens is None or other.prompt_tokens is None:
            return self if self.prompt_tokens is None else other
        source = self.source if self.source == other.source else "estimated"
        return TokenUsage(
            (self.prompt_tokens or 0) + (other.prompt_tokens or 0),
            (self.completion_tokens or 0) + (other.completion_tokens or 0),
            source,
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
            _sum(self.images, other.images),
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """A validated answer: the OpenAI object, the same as JSON text, and its usage.

    `dropped` are request fields that the upstream does not take, `operation` tells the form.
    `has_only_reasoned`: the model has spent all its tokens on reasoning and written nothing.
    """

    document: Mapping[str, Any]
    body: bytes
    usage: TokenUsage
    dropped: tuple[str, ...] = ()
    has_only_reasoned: bool = False
    operation: Operation = Operation.CHAT

    @property
    def text(self) -> str:
        """The first choice's text; empty if the model wrote none."""
        content = self.document["choices"][0]["message"].get("content")
        return content if isinstance(content, str) else ""


@dataclass(frozen=True, slots=True)
class CallReport:
    """What is known of a call beside its answer: read by the ledger, headers and metrics.

    Args:
        attempts: in order, over all upstreams.
        timing: where the time went.
        usage: the tokens of all its answers together.
        answer_count: how many whole answers it got.
        dropped: request fields that the last upstream does not take and did not get.
        fallback: set if another model than the requested one answered.
        limits: of `requests`, `tokens` and `budget`, those that the caller is closest to.
        client_deadline_passed: whether the time is over that the client asked for.
        rewrite_id: names the words of the answer, where they are a rewritten prompt.
        warnings: sentences on what of such a prompt could not be done.
    """

    attempts: tuple[Attempt, ...] = ()
    timing: Timing = field(default_factory=Timing)
    usage: TokenUsage = field(default_factory=TokenUsage)
    answer_count: int = 0
    dropped: tuple[str, ...] = ()
    fallback: Fallback | None = None
    limits: Mapping[str, LimitState] = field(default_factory=dict)
    client_deadline_passed: bool = False
    rewrite_id: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallResult(Generic[T_co]):
    """The one result of a call: its answer, and the report about it."""

    answer: T_co
    report: CallReport


CHAT, IMAGE, VIDEO = "chat", "image", "video"  # kinds of models


@dataclass(frozen=True, slots=True)
class Model:
    """A model that callers may name.

    `id` is that name, or with `*` a pattern of names; `model` its name at the upstream, None for
    the same; `profile` the vendor profile that the upstream must have, None for any; `kind` `chat`,
    or `image` for one that makes pictures. `is_guided` marks a model too small to follow written
    rules, `has_json_mode` one that takes `response_format` `json_object`. `fallback` names what to
    try, in order, when it fails, `longer_context` the model for conversations that are too long.
    `limits` are for all callers together, `parameters` fields that it takes beside its vendor's.
    """

    id: str
    upstream: str
    is_guided: bool = False
    has_json_mode: bool = False
    fallback: tuple[str, ...] = ()
    longer_context: str | None = None
    limits: Limits = field(default_factory=Limits)
    parameters: frozenset[str] = frozenset()
    model: str | None = None
    profile: str | None = None
    kind: str = CHAT
