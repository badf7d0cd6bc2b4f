"""What callers see of making pictures."""

from dataclasses import dataclass

from llm_api.domain.files import StoredFile
from llm_api.domain.making import MakingFailure
from llm_api.services.jobs.job import Job


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A picture that was made and is kept; `index` is its place among those that were wanted."""

    file: StoredFile
    index: int
    seed: int | None = None
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class ImageJob(Job):
    """A request for pictures, and what has become of it.

    Attributes:
        kind: `image`, or `layout_sketch` for what the built-in sketch has drawn.
        vendor_prompt: the vendor's own rewrite, if it told.
        failed: the pictures that were not made, by their places.
        quality, output_format, background: as they were sent; None for the vendor's own choice.
    """

    kind: str = "image"
    vendor_prompt: str | None = None
    pictures: tuple[MadePicture, ...] = ()
    failed: tuple[tuple[int, MakingFailure], ...] = ()
    quality: str | None = None
    output_format: str | None = None
    background: str | None = None
