"""What differs between image models: data from `config/images/`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from llm_api.domain.making import Size
from llm_api.domain.name_patterns import NamePatterns

GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class SizeRule:
    """Which sizes a model makes: those `listed`, else all within the limits.

    Attributes:
        is_asked: whether it can be asked for a size at all.
        listed: the only sizes, in the order in which they are proposed.
        also: sizes that it makes beside those within the limits.
        multiple: of which both sides are.
        min_side, max_side: of each side, in pixels.
        min_pixels, max_pixels: of the area.
        max_ratio: of the longer side to the shorter.
        default: the size for those who ask for none; None leaves it to the vendor.
        follows_input: whether an edit without a size is asked for in that of its first picture.
        keeps_ratio: whether it is asked for in the shape of its first picture, and the default's
            area: where pixels cost, a large input must not choose a dear size.
    """

    is_asked: bool = True
    listed: tuple[Size, ...] = ()
    also: tuple[Size, ...] = ()
    multiple: int = 1
    min_side: int = 1
    max_side: int = 16_384
    min_pixels: int = 1
    max_pixels: int = 1 << 28
    max_ratio: float = 16.0
    default: Size | None = None
    follows_input: bool = False
    keeps_ratio: bool = False


@dataclass(frozen=True)
class ImageModel:
    """What an image model takes, and in which words.

    Attributes:
        name: its name, or the pattern of names.
        protocol: who writes its requests and reads its answers, see `protocols`.
        vendor: whose errors it has.
        root: the path of its API at the origin of the address; None for the address as it is.
        size: which sizes it makes.
        resolutions: sizes by `1K` and aspect ratio. An aspect ratio that is missing is looked for
            turned by 90 degrees, and computed where sizes are not listed.
        n_per_call, max_n: pictures in one vendor call, and in one request of a caller.
        n_per_edit: pictures in one vendor call that edits.
        max_prompt, max_negative: lengths in characters.
        sends, emulates, drops: fields of `ImageRequest` (and, of `extra`, any): that it is sent,
            that we make up for, that are left out with a notice. All others are refused.
        names: the vendor's names of fields, where they differ from ours.
        quality: the vendor's words for the qualities that it has.
        formats: those of `output_format` that it writes when asked; we convert into the others.
        makes: the format that comes if it is asked for none; None where that is not sure.
        min_references, max_references: input pictures.
        has_mask: whether an edit may have a mask.
        always_marks: whether the vendor marks pictures, whatever it is asked.
        constants: what is always sent, in the vendor's words.
        optimized: what is sent on top of it where our optimizer has rewritten the prompt.
        filters: what its prompts may carry for the upstream, see `prompt_filters`.
        seconds: that one vendor call may take, or a task in all.
        is_task: whether the vendor answers with a task.
        poll_after: seconds between looks at a task; the last counts for all further ones.
        wire: what else its protocol has to know, in that protocol's words.
    """

    name: str
    protocol: str
    vendor: str
    root: str | None = None
    size: SizeRule = field(default_factory=SizeRule)
    resolutions: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    n_per_call: int = 1
    n_per_edit: int = 10
    max_n: int = 4
    max_prompt: int = 4000
    max_negative: int = 500
    sends: frozenset[str] = frozenset()
    emulates: frozenset[str] = frozenset()
    drops: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    quality: Mapping[str, str] = field(default_factory=dict)
    formats: frozenset[str] = frozenset()
    makes: str | None = None
    min_references: int = 0
    max_references: int = 0
    has_mask: bool = False
    always_marks: bool = False
    constants: Mapping[str, Any] = field(default_factory=dict)
    optimized: Mapping[str, Any] = field(default_factory=dict)
    filters: tuple[str, ...] = ()
    seconds: float = 300.0
    is_task: bool = False
    poll_after: tuple[float, ...] = (2.0, 3.0, 5.0, 8.0)
    wire: Mapping[str, Any] = field(default_factory=dict)

    def name_of(self, field_name: str) -> str:
        """Return the vendor's name of a field."""
        return self.names.get(field_name, field_name)

    def after(self, looked: int) -> float:
        """Return in how many seconds to look at a task that was `looked` at so many times."""
        return self.poll_after[min(looked, len(self.poll_after) - 1)]


@dataclass(frozen=True)
class ImageProfile:
    """A vendor of pictures.

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
    models: Mapping[str, ImageModel] = field(default_factory=dict)
    result_hosts: tuple[str, ...] = ()

    @cached_property
    def _patterns(self) -> NamePatterns[ImageModel]:
        return NamePatterns(self.models)

    def model(self, name: str) -> ImageModel | None:
        """Return what is known of a model, by its name at the vendor; None for no such model."""
        return self.models.get(name) or self._patterns.find(name)


def choose_image_profile(
    profiles: Mapping[str, ImageProfile], url: str, name: str | None = None
) -> ImageProfile:
    """Return the profile of that name, else the one whose address fits, else the generic one."""
    if name is not None:
        return profiles[name]
    return _of_address(profiles.values(), url) or profiles[GENERIC]


def _of_address(profiles: Iterable[ImageProfile], url: str) -> ImageProfile | None:
    parts = urlsplit(url)
    names = (parts.hostname or "", f"{parts.hostname}:{parts.port}")
    for profile in profiles:
        if any(fnmatchcase(name, pattern) for pattern in profile.hosts for name in names):
            return profile
    return None
