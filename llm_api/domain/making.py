"""The nouns of what vendors make, pictures and films: what they are sent, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_SEED = 2**31 - 1  # that all vendors take


@dataclass(frozen=True, slots=True)
class Size:
    """A size in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """The area."""
        return self.width * self.height

    def __str__(self) -> str:
        """Write it as `1024x768`."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class InputPicture:
    """A picture that a caller has sent, read and written anew; `name` is that of its stored bytes.

    `has_alpha` says that it has transparent parts; `size_bytes` is the length of the stored bytes.
    `role` is what it is for, where that is not the same for all.
    """

    name: str
    media_type: str
    width: int
    height: int
    size_bytes: int
    has_alpha: bool = False
    role: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of a field: `code` is `emulated`, `adapted`, `dropped` or `cut`."""

    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class FittedRequest:
    """A request in the terms of one model.

    Attributes:
        model: its name at the vendor.
        prompt: with commands for the upstream made harmless, and emulated fields added.
        parts: how many each vendor call makes: `(4,)` or `(1, 1, 1, 1)` pictures, `(1,)` film.
        size: the size to ask for; None lets the model choose.
        fields: values to send, by the names that they have in the request; a part's seed is its
            own.
        constants: what the profile has sent with each call, in the vendor's words.
        references, mask, is_edit: as in the request.
        max_prompt: characters that the model takes; None: nobody knows.
        convert_to: format in which we write the result ourselves; None leaves the vendor's.
        seconds: that one vendor call may take, or a task in all.
        longest: the most seconds that a film can be charged for; `tokens_per_pixel` are those of a
            pixel for a second.
        has_sound: whether a film has sound that is not asked about.
        notices: what the caller must know.
    """

    model: str
    prompt: str
    parts: tuple[int, ...]
    size: Size | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[InputPicture, ...] = ()
    mask: InputPicture | None = None
    is_edit: bool = False
    max_prompt: int | None = None
    convert_to: str | None = None
    seconds: float = 300.0
    longest: int = 0
    tokens_per_pixel: float = 0.0
    has_sound: bool = False
    notices: tuple[Notice, ...] = ()

    def seed_of(self, part: int) -> int | None:
        """Return the seed of a part: of its first picture."""
        seed = self.fields.get("seed")
        return None if seed is None else int(seed) + sum(self.parts[:part])


@dataclass(frozen=True, slots=True)
class MadeUsage:
    """What a vendor counted, None where it did not say; `raw` is its own object, for the caller.

    `images` are those delivered, `pixels` their sum, `input_images` those it was sent.
    `input_image_tokens` are part of `input_tokens`. `seconds` are those of a film.
    """

    images: int | None = None
    input_images: int = 0
    pixels: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_image_tokens: int | None = None
    seconds: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecodedBase64:
    """What came as base64 and was decoded on its way."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VendorFile:
    """A picture or a film as a vendor hands it out: base64, or an address that soon expires.

    `base64` is ASCII bytes without a `data:` prefix if it is not decoded yet. `prompt` is the
    vendor's own rewrite. `beside` has addresses of pictures that come with a film, by what they
    are.
    """

    base64: bytes | DecodedBase64 | None = field(default=None, repr=False)
    url: str | None = None
    prompt: str | None = None
    seed: int | None = None
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MakingFailure:
    """Why a film, or one picture of several, was not made; `reason` is a reason of `ApiError`.

    `stage` and `what` are those of `ContentFiltered`.
    """

    reason: str
    message: str
    retryable: bool = False
    stage: str | None = None
    what: str | None = None


@dataclass(frozen=True, slots=True)
class VendorResult:
    """The result of one vendor call: its files, what failed, and what the vendor counted."""

    files: tuple[VendorFile, ...]
    failed: tuple[MakingFailure, ...] = ()
    usage: MadeUsage = field(default_factory=MadeUsage)
    vendor_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class VendorTask:
    """A task that a vendor works on; `after` is in how many seconds to look at it.

    `state` is `queued` or `running`, and "" where the vendor has not said anything of it.
    """

    id: str
    after: float
    state: str = "queued"
    progress: int | None = None
