"""The nouns of the service: plain values, passed between the layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from llm_api.domain.access import ApiKey, Limits, LimitState


def never() -> bool:
    """Say that nobody has left: the `is_abandoned` of a caller that cannot leave."""
    return False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an upstream is: base address up to `/v1`, key (may be empty) and default model."""

    url: str
    model: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """An upstream as it is configured.

    `endpoints` are one or more keys or addresses of the same service, which share its load.
    `fallback` names the upstreams and models to try when it fails; `profile` is the name of its
    vendor profile, None where the address decides.
    """

    endpoints: tuple[Endpoint, ...]
    fallback: tuple[str, ...] = ()
    profile: str | None = None

    @property
    def model(self) -> str:
        """The model for callers who name none."""
        return self.endpoints[0].model


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an upstream may take, in seconds; `stream` is the total of a streamed answer."""

    connect: float
    first_byte: float
    idle: float
    total: float
    stream: float


@dataclass(slots=True)
class Timing:
    """Where the time of a request went, in seconds.

    `queue` is the wait for a place at the upstream, `upstream` the time spent there, `first_token`
    the part of it until the answer began.
    """

    queue: float = 0.0
    upstream: float = 0.0
    first_token: float | None = None


@dataclass(frozen=True, slots=True)
class Fallback:
    """Another model than the one asked for has answered; `reason` is why the first could not."""

    asked_upstream: str
    asked_model: str
    used_upstream: str
    used_model: str
    reason: str


@dataclass(slots=True)
class ResponseMetadata:
    """What a client is told beside its answer.

    `dropped` are parameters that the upstream does not take and did not get. `limits` of
    `requests` and `tokens` are those the client is closest to.
    """

    dropped: tuple[str, ...] = ()
    fallback: Fallback | None = None
    limits: dict[str, LimitState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked: the id of the request, its route, and whether the client has hung up.

    `time_limit` is for how many seconds the client will wait, where it has said so. `tags` are the
    labels it gave the call, as `joined_tags` writes them; calls that belong together have the same
    `lineage_id`. `key` is None where no key is required, `address` is where the client is, of IPv6
    its /64 network.
    """

    request_id: str
    route: str
    is_abandoned: Callable[[], bool] = never
    timing: Timing = field(default_factory=Timing)
    time_limit: float | None = None
    notes: ResponseMetadata = field(default_factory=ResponseMetadata)
    tags: str = ""
    lineage_id: str | None = None
    key: ApiKey | None = None
    address: str = ""

    @property
    def name(self) -> str:
        """Who is limited and pays: the key, else the address."""
        return self.address if self.key is None else self.key.id


class Operation(StrEnum):
    """What an upstream is asked for; the value is the path below its address."""

    CHAT = "/chat/completions"
    TEXT = "/completions"
    EMBEDDINGS = "/embeddings"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A checked request to a model.

    `parameters` is the OpenAI request body without `model`: JSON that passes through to the
    upstream. `model` is None where the caller leaves the choice to the service.
    """

    model: str | None
    parameters: Mapping[str, Any]
    operation: Operation = Operation.CHAT


@dataclass(slots=True)
class TextLength:
    """How long texts are together, in characters of ASCII and others."""

    in_ascii: int = 0
    others: int = 0

    def add(self, text: str) -> None:
        """Count a text."""
        in_ascii = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
        self.in_ascii += in_ascii
        self.others += len(text) - in_ascii


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens as the upstream counted them; None where it gave no usable count.

    `source` is `upstream`, `missing` (no usage in the answer), `invalid` (not a sane number) or
    `estimated` (the answer was cut before its usage came; counted from the texts). Of the prompt's
    tokens `cached_tokens` were read from a cache, of the completion's `reasoning_tokens` were
    thought and not shown; `images` were made.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    source: str = "missing"
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    images: int | None = None

    def plus(self, other: "TokenUsage") -> "TokenUsage":
        """Add the usage of another answer; unknown if either is."""
        unknown = next((u for u in (self, other) if u.prompt_tokens is None), None)
        if unknown is not None:
            return unknown
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
    """A checked answer of a model: the OpenAI object, and the same as JSON text."""

    document: Mapping[str, Any]
    body: bytes
    usage: TokenUsage

    @property
    def text(self) -> str:
        """The first choice's text, empty where the model wrote none."""
        content = self.document["choices"][0]["message"].get("content")
        return content if isinstance(content, str) else ""

    @property
    def is_cut(self) -> bool:
        """Whether the text ends only because `max_tokens` was reached."""
        return bool(self.document["choices"][0].get("finish_reason") == "length")


@dataclass(frozen=True, slots=True)
class Model:
    """A model that callers may name; `is_guided` marks one too small to follow written rules.

    `has_json_mode` says that it takes `response_format` `json_object`. `fallback` names models and
    upstreams to try, in order, where this one fails, and `longer_context` the one for conversations
    that are too long for it. `limits` are for all callers together.
    """

    id: str
    upstream: str
    is_guided: bool = False
    has_json_mode: bool = False
    fallback: tuple[str, ...] = ()
    longer_context: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What makes two requests the same: `key` names them, `fingerprint` stands for their bodies.

    `joins` is false for a request that is the first of its kind and must not get an older answer.
    `keep_s` is for how long the finished answer is of use, if it has at most `max_bytes`.
    """

    key: str
    fingerprint: str
    joins: bool
    keep_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """An answer that ended well."""

    content_type: str
    headers: Mapping[str, str]
    body: bytes
