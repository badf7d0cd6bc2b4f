"""What differs between image models: data from `config/images/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llm_api.domain.making import Size
from llm_api.upstream.media.vendor_models import VendorModel, VendorProfile


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
class ImageModel(VendorModel):
    """What an image model takes beside what every model may take.

    Attributes:
        size: which sizes it makes.
        resolutions: sizes by `1K` and aspect ratio. An aspect ratio that is missing is looked for
            turned by 90 degrees, and computed where sizes are not listed.
        n_per_call: pictures in one vendor call.
        n_per_edit: pictures in one vendor call that edits.
        quality: the vendor's words for the qualities that it has.
        formats: those of `output_format` that it writes when asked; we convert into the others.
        makes: the format that comes if it is asked for none; None where that is not sure.
        min_references, max_references: input pictures.
        has_mask: whether an edit may have a mask.
        is_task: whether the vendor answers with a task.
    """

    max_n: int = 4
    size: SizeRule = field(default_factory=SizeRule)
    resolutions: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    n_per_call: int = 1
    n_per_edit: int = 10
    quality: Mapping[str, str] = field(default_factory=dict)
    formats: frozenset[str] = frozenset()
    makes: str | None = None
    min_references: int = 0
    max_references: int = 0
    has_mask: bool = False
    is_task: bool = False


ImageProfile = VendorProfile[ImageModel]
