"""Names rewrites: by what was asked, by what they were made with, and by their words."""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from llm_api.domain.calls import Caller
from llm_api.domain.prompts import PromptRequest, Target
from llm_api.services.routing.catalogue import Destination

_CACHED_TARGETS = 512
# What changes neither the words nor how many there are: what else is answered, and when to give up.
_BESIDE_THE_WORDS = {
    "include_details",
    "include_negative_prompt",
    "on_failure",
    "max_wait_ms",
    "refresh",
    "pin",
}
_ASKED = [
    (field.name, field.default)
    for field in fields(PromptRequest)
    if field.name not in _BESIDE_THE_WORDS
]
_RULES = Path(__file__).parents[1]
_REQUEST_DIGITS, _WORDS_DIGITS = 32, 16
REWRITE_ID = rf"^rw_[0-9a-f]{{{_REQUEST_DIGITS}}}_[0-9a-f]{{{_WORDS_DIGITS}}}$"


@dataclass(frozen=True, slots=True)
class WantedRewrite:
    """What a request asks for.

    Attributes:
        owner: the id of the API key, "" where none is required: rewrites are shared by nobody else.
        asked: a hash of the prompt and of all fields that change its rewrite.
        request: a hash of that, the rules, the target and the model.
        in_flight: a hash of everything that the outcome of a call depends on.
    """

    owner: str
    asked: str
    request: str
    in_flight: str

    @property
    def name(self) -> str:
        """Under which its latest rewrite is found."""
        return _digest(self.owner, self.request)

    def rewrite_id(self, rewrites: Sequence[str]) -> str:
        """Return the id of rewrites: other words of the same request have another one."""
        words = _digest(*rewrites)[:_WORDS_DIGITS]
        return f"rw_{self.request[:_REQUEST_DIGITS]}_{words}"


def wanted_rewrite(
    request: PromptRequest, targets: Sequence[Target], destination: Destination, caller: Caller
) -> WantedRewrite:
    """Return what a request asks for.

    Args:
        request: the request.
        targets: the image or video models that the rewrite is for.
        destination: where a call would go.
        caller: who asks.
    """
    asked, owner = asked_of(request), owner_of(caller)
    model = [destination.upstream.name, destination.model]
    model += [str(destination.is_guided), str(destination.has_json_mode)]
    made_with = _digest(asked, rules_version(), *map(_entry, targets), *model)
    ending = [request.on_failure, str(request.max_wait_ms)]
    return WantedRewrite(owner, asked, made_with, _digest(owner, made_with, *ending))


def owner_of(caller: Caller) -> str:
    """Return whose rewrites a caller gets."""
    return "" if caller.key is None else caller.key.id


def asked_of(request: PromptRequest) -> str:
    """Return a hash of the fields that change a rewrite.

    Those that have their defaults are left out: fields of later releases change no hash.
    """
    given: dict[str, Any] = {
        name: value for name, default in _ASKED if (value := getattr(request, name)) != default
    }
    if request.cast:
        given["cast"] = [[one.name, one.description] for one in request.cast]
    if request.pictures:  # as they came in: how we write them anew may change
        given["pictures"] = [
            hashlib.sha256(picture.original).hexdigest() for picture in request.pictures
        ]
    return _digest(json.dumps(given, sort_keys=True))


def stored_name(owner: str, rewrite_id: str) -> str:
    """Return the name under which a rewrite is stored."""
    return _digest(owner, rewrite_id)


@functools.cache
def rules_version() -> str:
    """Return a hash of all that decides about words here: instructions, vocabulary, and code."""
    digest = hashlib.sha256()
    for path in sorted(_RULES.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(_RULES)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.lru_cache(maxsize=_CACHED_TARGETS)
def _entry(target: Target) -> str:
    """Write the entry of a target, the same in every process: sets have no order of their own."""
    values = {field.name: getattr(target, field.name) for field in fields(target)}
    return json.dumps(values, sort_keys=True, default=_plain)


def _plain(value: Mapping[str, Any] | Iterable[Any]) -> Any:
    return dict(value) if isinstance(value, Mapping) else sorted(value)


def _digest(*parts: str) -> str:
    """Hash texts, of which none can be taken for a part of another."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
