"""What differs between vendors: data from `config/profiles/`, and requests adapted to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from llm_api.domain.calls import Operation
from llm_api.domain.name_patterns import NamePatterns
from llm_api.errors import InvalidRequest
from llm_api.upstream.vendors.error_rules import ErrorRule
from llm_api.upstream.vendors.message_forms import MessageForms
from llm_api.upstream.vendors.picture_addresses import InnerUpstream
from llm_api.upstream.vendors.responses_traits import ResponsesTraits
from llm_api.upstream.vendors.thinking import (
    WORDS,
    ThinkingWords,
    merged,
    read_wish,
    translated,
)
from llm_api.upstream.vendors.vision import VisionTraits

GENERIC = "generic"
# The paths of OpenAI's API below an upstream's address.
PATHS: Mapping[Operation, str] = {
    Operation.CHAT: "/chat/completions",
    Operation.TEXT: "/completions",
    Operation.EMBEDDINGS: "/embeddings",
    Operation.RESPONSES: "/responses",
}
# Of TEXT and EMBEDDINGS, the fields of OpenAI's API itself, which every vendor is sent.
_FIELDS: Mapping[Operation, frozenset[str]] = {
    Operation.TEXT: frozenset(
        [
            *("prompt", "temperature", "top_p", "presence_penalty", "frequency_penalty"),
            *("max_tokens", "n", "best_of", "seed", "logprobs", "echo", "suffix", "stop"),
            *("logit_bias", "user"),
        ]
    ),
    Operation.EMBEDDINGS: frozenset(["input", "dimensions", "encoding_format", "user"]),
}
_CAPS = ("max_tokens", "max_completion_tokens")
_TOOLS = frozenset(["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"])
_NONE: frozenset[str] = frozenset()
INT64 = (-(2**63), 2**63 - 1)
_ANY_SEED = -1  # "choose one", to image tools, llama.cpp and vLLM


@dataclass(frozen=True)
class Profile:
    """A vendor profile.

    Args:
        name: that of its file.
        hosts: patterns of host names, or of host and port, that it is chosen by.
        token_cap: the vendor's name for the cap on tokens, None where both are taken.
        has_developer_role: whether it knows the role `developer`.
        parameters: the fields of a chat that it takes, None for all.
        json_modes: the forms of JSON that it offers, None for all.
        seeds: the smallest and the largest seed.
        thinking: how it is told to think.
        counts_one_choice: whether the usage of an answer with several choices is that of one.
        has_tools: whether a model can be given tools.
        fetches_pictures: whether its server, which one runs oneself, asks for a picture's address
            from inside of one's network, whatever its own address is. Callers must send such
            pictures in the request.
        known: the fields that any vendor takes, None if that is not known. They are the limit where
            `parameters` is None.
        passes_unknown: whether the vendor is also sent what it does not take.
        passes_addresses: whether addresses of pictures also go to an upstream that is inside of
            the operator's network by its own address.
        model_parameters: further fields that models take, by names and patterns of names.
        rules: what its errors mean.
        messages: what messages may have beside texts and pictures.
        vision: how its models take pictures.
        responses: what its own Responses API takes, None where it has none.
        inner: what refuses addresses, where the upstream must not get them.
    """

    name: str
    hosts: Sequence[str] = ()
    token_cap: str | None = None
    has_developer_role: bool = True
    parameters: frozenset[str] | None = None
    json_modes: frozenset[str] | None = None
    seeds: tuple[int, int] = INT64
    thinking: ThinkingWords = field(default_factory=ThinkingWords)
    counts_one_choice: bool = False
    has_tools: bool = True
    fetches_pictures: bool = False
    known: frozenset[str] | None = None
    passes_unknown: bool = False
    passes_addresses: bool = False
    model_parameters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rules: Sequence[ErrorRule] = ()
    messages: MessageForms = field(default_factory=MessageForms)
    vision: VisionTraits = field(default_factory=VisionTraits)
    responses: ResponsesTraits | None = None
    inner: InnerUpstream | None = None

    @property
    def thinking_on(self) -> Mapping[str, Any] | None:
        """The fields that switch thinking on, None where nothing does."""
        return self.thinking.on

    @property
    def thinking_off(self) -> Mapping[str, Any] | None:
        """Those that switch it off."""
        return self.thinking.off

    def at(self, urls: Sequence[str], *, has_tools: bool) -> "Profile":
        """Return the profile of an upstream at these addresses.

        It keeps addresses of pictures from an upstream that is inside of the operator's network.
        """
        inner = None
        if self.fetches_pictures or not self.passes_addresses:
            inner = InnerUpstream(urls, self.hosts, is_known=self.fetches_pictures)
            inner = inner if inner.may_be_inside else None
        return replace(self, has_tools=self.has_tools and has_tools, inner=inner)

    def adapted(
        self, parameters: Mapping[str, Any], operation: Operation, model: str = ""
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the parameters as the vendor takes them, and the names of those left out.

        `model` is the vendor's name of the model. Raises InvalidRequest for a form of JSON that the
        vendor does not offer, and for a tool that must be called where there are none.
        """
        body, lost = dict(parameters), _NONE
        also_taken = self._taken_by(model) if self.model_parameters else _NONE
        if operation is Operation.CHAT:
            self._settle_cap(body)
            if self.inner is not None:
                self.inner.check(body["messages"])
            if not self.has_developer_role:
                body["messages"] = [_without_developer(message) for message in body["messages"]]
            self._check_json_mode(body.get("response_format"))
            if not WORDS.isdisjoint(body):
                body, lost = self._with_thinking(body, also_taken)
        if "seed" in body:
            self._settle_seed(body)
        unwanted = self._unwanted(body, operation, also_taken)
        if not (unwanted or lost):
            return body, ()
        body = {name: value for name, value in body.items() if name not in unwanted}
        return body, tuple(name for name in parameters if name in unwanted or name in lost)

    def _taken_by(self, model: str) -> frozenset[str]:
        """Return what a model takes beside its vendor."""
        named = self.model_parameters.get(model)
        return named or self._model_patterns.find(model) or _NONE

    @cached_property
    def _model_patterns(self) -> NamePatterns[frozenset[str]]:
        return NamePatterns(self.model_parameters)

    @cached_property
    def _taken(self) -> Mapping[Operation, frozenset[str] | None]:
        """The fields that are sent, None for all."""
        listed = self.known if self.parameters is None else self.parameters
        if listed is None or self.passes_unknown:
            return dict.fromkeys(Operation)
        chat = listed.union(self.thinking.names, _CAPS, ["messages"])
        if self.known is None:  # what a list says of chats is no news of other routes
            return {**dict.fromkeys(Operation), Operation.CHAT: chat}
        return {Operation.CHAT: chat, **{name: listed | own for name, own in _FIELDS.items()}}

    def _unwanted(
        self, body: dict[str, Any], operation: Operation, also_taken: frozenset[str]
    ) -> frozenset[str]:
        """Return the fields that the vendor must not be sent."""
        taken = self._taken[operation]
        names = body.keys()
        is_clean = (taken is None or names <= taken) and "metadata" not in names
        if is_clean and self.has_tools:
            return _NONE
        unwanted = _NONE if taken is None else frozenset(names - taken - also_taken)
        # OpenAI keeps them with a stored completion, and refuses them with any other.
        if "metadata" in body and not (self.passes_unknown or body.get("store")):
            unwanted |= {"metadata"} - also_taken
        if not self.has_tools:
            _refuse_demanded_tool(body)
            unwanted |= _TOOLS & names
        return unwanted

    def _settle_cap(self, body: dict[str, Any]) -> None:
        """Give the cap on tokens its name here; OpenAI's two names mean the same to callers."""
        if self.token_cap is None:
            return
        given = [body.pop(name) for name in reversed(_CAPS) if name in body]
        if given:
            body[self.token_cap] = given[0]

    def _settle_seed(self, body: dict[str, Any]) -> None:
        """Bring the seed into the vendor's range: a hint is no reason to be refused."""
        seed, (low, high) = body["seed"], self.seeds
        if type(seed) is not int or low <= seed <= high:
            return
        if seed == _ANY_SEED:
            del body["seed"]
        else:
            body["seed"] = low + (seed - low) % (high - low + 1)

    def _check_json_mode(self, response_format: object) -> None:
        mode = response_format.get("type") if isinstance(response_format, dict) else None
        if self.json_modes is None or mode in (None, "text", *self.json_modes):
            return
        raise InvalidRequest.of_field(
            "response_format.type",
            f"must be one of {', '.join(['text', *sorted(self.json_modes)])} for this model.",
            reason="not_supported",
        )

    def _with_thinking(
        self, body: dict[str, Any], also_taken: frozenset[str]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """Put the switches for thinking into the vendor's words; also return what it has none for.

        A vendor of which nothing is known gets them as they are.
        """
        if self.parameters is None:
            return body, _NONE
        said, lost = translated(body, self.thinking, self.parameters | also_taken)
        if self.passes_unknown:
            return {**said, **{name: body[name] for name in lost}}, _NONE
        return said, lost

    def without_reasoning(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a request body with thinking off; None if the vendor has no switch for it."""
        if self.thinking_off is None:
            return None
        quiet = merged(body, self.thinking_off)
        return None if quiet == body else quiet


def cap_name(parameters: Mapping[str, Any]) -> str:
    """Return a caller's own name for the cap on tokens."""
    for name in reversed(_CAPS):
        if name in parameters:
            return name
    return _CAPS[0]


def asks_for_reasoning(parameters: Mapping[str, Any]) -> bool:
    """Whether a caller asks the model to reason, in any vendor's words."""
    return not WORDS.isdisjoint(parameters) and bool(read_wish(parameters).is_on)


def _refuse_demanded_tool(body: Mapping[str, Any]) -> None:
    """Raise InvalidRequest if the model must call a tool; to offer one is not to demand it."""
    for name in ("tool_choice", "function_call"):
        choice = body.get(name)
        allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
        mode = allowed.get("mode") if isinstance(allowed, dict) else choice
        if mode not in (None, "auto", "none"):
            raise InvalidRequest.of_field(
                name,
                "must be auto or none: this model cannot call tools; choose another model.",
                reason="not_supported",
            )


def _without_developer(message: Any) -> Any:
    if isinstance(message, dict) and message.get("role") == "developer":
        return message | {"role": "system"}
    return message


def choose_profile(profiles: Mapping[str, Profile], url: str, name: str | None = None) -> Profile:
    """Return the profile of that name, else the one whose address fits, else the generic one.

    Its own rules for errors come first, then those of all others: the API at an address is often
    another one's front.
    """
    chosen = profiles[name] if name is not None else _of_address(profiles.values(), url)
    chosen = chosen or profiles[GENERIC]
    others = [profiles[GENERIC], *profiles.values()]
    rules = [*chosen.rules, *(rule for other in others for rule in other.rules)]
    return replace(chosen, rules=tuple(dict.fromkeys(rules)))


def _of_address(profiles: Iterable[Profile], url: str) -> Profile | None:
    parts = urlsplit(url)
    names = (parts.hostname or "", f"{parts.hostname}:{parts.port}")
    for profile in profiles:
        if any(fnmatchcase(name, pattern) for pattern in profile.hosts for name in names):
            return profile
    return None


def known_parameters(profiles: Mapping[str, Profile]) -> frozenset[str]:
    """Return the fields that any of the profiles takes, OpenAI's own caps included."""
    taken = (one.thinking.names | (one.parameters or _NONE) for one in profiles.values())
    return frozenset(_CAPS).union(WORDS, *taken)
