"""What is known of the vendors of pictures and films, and of their models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from llm_api.domain.name_patterns import NamePatterns

GENERIC = "generic"


@dataclass(frozen=True)
class VendorModel:
    """What a model takes, and in which words, whatever it makes.

    Attributes:
        name: its name, or the pattern of names.
        protocol: who writes its requests and reads its answers, see `protocols`.
        vendor: whose errors it has.
        root: the path of its API at the origin of the address; None for the address as it is.
        max_n: how many results a caller may ask for.
        max_prompt, max_negative: lengths in characters.
        sends, emulates, drops: fields of a request (and, of `extra`, any): that it is sent, that
            we make up for, that are left out with a notice. All others are refused.
        names: the vendor's names of fields, where they differ from ours.
        always_marks: whether the vendor marks what it makes, whatever it is asked.
        constants: what is always sent, in the vendor's words.
        optimized: what is sent on top of it where our optimizer has rewritten the prompt.
        filters: what its prompts may carry for the upstream, see `prompt_filters`.
        seconds: that one vendor call may take, or a task in all.
        poll_after: seconds between looks at a task; the last counts for all further ones.
        wire: what else its protocol has to know, in that protocol's words.

    `noun` is of what it makes, in words for callers. `own_names` are our names of fields, by those
    that all vendors of this have in common; "" where one name is of several fields of ours.
    """

    noun: ClassVar[str] = "picture"
    own_names: ClassVar[Mapping[str, str]] = {}

    name: str
    protocol: str
    vendor: str
    root: str | None = None
    max_n: int = 1
    max_prompt: int = 4000
    max_negative: int = 500
    sends: frozenset[str] = frozenset()
    emulates: frozenset[str] = frozenset()
    drops: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    always_marks: bool = False
    constants: Mapping[str, Any] = field(default_factory=dict)
    optimized: Mapping[str, Any] = field(default_factory=dict)
    filters: tuple[str, ...] = ()
    seconds: float = 300.0
    poll_after: tuple[float, ...] = (2.0, 3.0, 5.0, 8.0)
    wire: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """What does not fit together of what its file says, with the trait; "" for nothing."""
        return ""

    def name_of(self, field_name: str) -> str:
        """Return the vendor's name of a field."""
        return self.names.get(field_name, field_name)

    def after(self, looked: int) -> float:
        """Return in how many seconds to look at a task that was `looked` at so many times."""
        return self.poll_after[min(looked, len(self.poll_after) - 1)]


M = TypeVar("M", bound=VendorModel)


@dataclass(frozen=True)
class VendorProfile(Generic[M]):
    """A vendor of pictures, or of films.

    Attributes:
        name: that of its file.
        title: the vendor's own name.
        hosts: patterns of hosts, or of host and port, that it is chosen by.
        models: by name and pattern of names.
        result_hosts: patterns of the hosts that its results are fetched from.
    """

    name: str
    title: str
    hosts: tuple[str, ...] = ()
    models: Mapping[str, M] = field(default_factory=dict)
    result_hosts: tuple[str, ...] = ()

    @cached_property
    def _patterns(self) -> NamePatterns[M]:
        return NamePatterns(self.models)

    def model(self, name: str) -> M | None:
        """Return what is known of a model, by its name at the vendor; None for no such model."""
        return self.models.get(name) or self._patterns.find(name)


def choose_profile(
    profiles: Mapping[str, VendorProfile[M]], url: str, name: str | None = None
) -> VendorProfile[M]:
    """Return the profile of that name, else the one whose address fits, else the generic one."""
    if name is not None:
        return profiles[name]
    return _of_address(profiles.values(), url) or profiles[GENERIC]


def _of_address(profiles: Iterable[VendorProfile[M]], url: str) -> VendorProfile[M] | None:
    parts = urlsplit(url)
    names = (parts.hostname or "", f"{parts.hostname}:{parts.port}")
    for profile in profiles:
        if any(fnmatchcase(name, pattern) for pattern in profile.hosts for name in names):
            return profile
    return None
