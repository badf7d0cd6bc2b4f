"""What differs between vendors: data from `config/profiles/`, and requests adapted to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from llm_api.domain.calls import Operation
from llm_api.errors import InvalidRequest
from llm_api.upstream.vendors.error_rules import ErrorRule

GENERIC = "generic"
# The paths of OpenAI's API below an upstream's address.
PATHS: Mapping[Operation, str] = {
    Operation.CHAT: "/chat/completions",
    Operation.TEXT: "/completions",
    Operation.EMBEDDINGS: "/embeddings",
}
_CAPS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Profile:
    """A vendor profile.

    `hosts` are patterns of host names, or of host and port, that it is chosen by. `token_cap` is
    the vendor's name for the cap on tokens, None where both are taken. `parameters` are those it
    takes, None for all. `thinking_on` and `thinking_off` are what switches thinking, None where
    nothing does. `counts_one_choice` says that the usage of an answer with several choices is that
    of one.
    """

    name: str
    hosts: Sequence[str] = ()
    token_cap: str | None = None
    has_developer_role: bool = True
    parameters: frozenset[str] | None = None
    json_modes: frozenset[str] | None = None
    thinking_on: Mapping[str, Any] | None = None
    thinking_off: Mapping[str, Any] | None = None
    counts_one_choice: bool = False
    rules: Sequence[ErrorRule] = ()

    def adapted(
        self, parameters: Mapping[str, Any], operation: Operation
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the parameters as the vendor takes them, and the names of those left out.

        Raises InvalidRequest for a form of JSON that the vendor does not offer.
        """
        body = dict(parameters)
        if operation is not Operation.CHAT:
            return body, ()
        self._settle_cap(body)
        if not self.has_developer_role:
            body["messages"] = [_without_developer(message) for message in body["messages"]]
        self._check_json_mode(body.get("response_format"))
        if self.parameters is None:
            return body, ()
        self._translate_thinking(body, self.parameters)
        switches = {**(self.thinking_on or {}), **(self.thinking_off or {})}
        taken = self.parameters.union(switches, _CAPS, ["messages"])
        dropped = tuple(name for name in parameters if name in body and name not in taken)
        for name in dropped:
            del body[name]
        return body, dropped

    def _settle_cap(self, body: dict[str, Any]) -> None:
        """Give the cap on tokens its name here; OpenAI's two names mean the same to callers."""
        if self.token_cap is None:
            return
        given = [body.pop(name) for name in reversed(_CAPS) if name in body]
        if given:
            body[self.token_cap] = given[0]

    def _check_json_mode(self, response_format: object) -> None:
        mode = response_format.get("type") if isinstance(response_format, dict) else None
        if self.json_modes is None or mode in (None, "text", *self.json_modes):
            return
        raise InvalidRequest.of_field(
            "response_format.type",
            f"must be one of {', '.join(['text', *sorted(self.json_modes)])} for this model.",
            reason="not_supported",
        )

    def _translate_thinking(self, body: dict[str, Any], parameters: frozenset[str]) -> None:
        """Translate another vendor's switches for thinking into this vendor's."""
        is_wanted = wants_thinking(body)
        switch = self.thinking_on if is_wanted else self.thinking_off
        if is_wanted is None or switch is None:
            return
        foreign = [
            name for name in ("enable_thinking", "thinking") if name in body.keys() - parameters
        ]
        for name in foreign:
            del body[name]
        if foreign:
            body.update(switch)

    def without_reasoning(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a request body with thinking off; None if the vendor has no switch for it."""
        if self.thinking_off is None:
            return None
        quiet = {**body, **self.thinking_off}
        return None if quiet == body else quiet


def cap_name(parameters: Mapping[str, Any]) -> str:
    """Return a caller's own name for the cap on tokens."""
    return next((name for name in reversed(_CAPS) if name in parameters), _CAPS[0])


def asks_for_reasoning(parameters: Mapping[str, Any]) -> bool:
    """Whether a caller asks the model to reason, in any vendor's words."""
    effort = parameters.get("reasoning_effort")
    return bool(wants_thinking(parameters)) or (
        isinstance(effort, str) and effort not in {"none", "minimal"}
    )


def wants_thinking(body: Mapping[str, Any]) -> bool | None:
    """Read whether a caller wants the model to think; None where that is left to the model."""
    thinking = body.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind in ("enabled", "disabled"):  # it may be anything, also a list
        return bool(kind == "enabled")
    wanted = body.get("enable_thinking")
    return wanted if isinstance(wanted, bool) else None


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
