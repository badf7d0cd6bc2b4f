"""What vendors charge pictures and films by, and the prices of that."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class PictureTier:
    """The price of a picture of at most `max_pixels` and of a quality; None stands for any."""

    price: Decimal
    max_pixels: int | None = None
    quality: str | None = None

    def is_for(self, pixels: int | None, quality: str | None) -> bool:
        """Whether it is the price of a picture."""
        fits = self.max_pixels is None or (pixels is not None and pixels <= self.max_pixels)
        return fits and (self.quality is None or self.quality == quality)


@dataclass(frozen=True, slots=True)
class PictureBill:
    """What a call for pictures is charged for.

    Attributes:
        pixels: of each picture that was made; None where they are unknown.
        quality: as it was asked for.
        input_images: pictures that were sent along.
        input_tokens, output_tokens: None where the vendor counts none.
        input_image_tokens: part of `input_tokens`.
    """

    pixels: tuple[int | None, ...]
    quality: str | None = None
    input_images: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_image_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class VideoBill:
    """What a film is charged for.

    Attributes:
        films: how many were made.
        seconds: of all of them; None where they are unknown.
        resolution: as it was asked for, such as `720p`.
        has_audio: whether it has sound.
        output_tokens: None where the vendor counts none.
    """

    films: int
    seconds: Decimal | None
    resolution: str
    has_audio: bool
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class FilmTier:
    """A price for films of a resolution, with or without sound; None stands for any."""

    price: Decimal
    resolution: str | None = None
    audio: bool | None = None

    def is_for(self, bill: VideoBill) -> bool:
        """Whether it is the price for a film."""
        return self.resolution in {None, bill.resolution} and self.audio in {None, bill.has_audio}
