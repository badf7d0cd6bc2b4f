"""What callers ask for where they want pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from llm_api.domain.making import InputPicture, Size


class SizePolicy(StrEnum):
    """What happens to a size that the model does not make: `exact` refuses, `nearest` adapts."""

    EXACT = "exact"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A validated request for pictures; None where the caller has left a field out.

    Attributes:
        prompt: what to draw; after optimization, the rewrite.
        model: as the caller named it.
        n: how many pictures.
        size: exclusive with `aspect_ratio` (`16:9`) and `resolution` (`1K`, `2K`, …).
        seed: of the first picture; the others get the following ones.
        quality: `low`, `medium`, `high`, `auto`, or a vendor's own word.
        output_format: `png`, `jpeg` or `webp`; `output_compression` 0 to 100.
        references: pictures to start from or to edit; `mask` has the first one's size, its
            transparent parts are painted.
        is_edit: whether the pictures are to be edited, by the route or because of a mask.
        watermark: whether the vendor may mark the picture; always sent.
        user: a hash of the caller's end user, 64 characters or fewer.
        is_optimized: whether our optimizer has rewritten the prompt: the vendor's must not.
        partial_images: previews wanted while a picture is made, of a model that streams.
        extra: further fields under OpenAI's routes, such as `moderation`.
    """

    prompt: str
    model: str | None = None
    n: int = 1
    negative_prompt: str | None = None
    size: Size | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    size_policy: SizePolicy = SizePolicy.EXACT
    seed: int | None = None
    quality: str | None = None
    background: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    references: tuple[InputPicture, ...] = ()
    mask: InputPicture | None = None
    is_edit: bool = False
    watermark: bool = False
    user: str | None = None
    is_optimized: bool = False
    partial_images: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
