"""What is known of a picture, and why one cannot be used."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture file says of itself.

    `frames` above 1 mean that it is animated. `has_alpha` says that it may have transparent parts.
    """

    media_type: str
    width: int
    height: int
    has_alpha: bool = False
    frames: int = 1

    @property
    def pixels(self) -> int:
        """The area."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A caller's picture, written anew: turned, its first frame, sRGB, no metadata.

    `facts.has_alpha` is only set where parts are transparent indeed.
    """

    data: bytes = field(repr=False)
    facts: PictureFacts


class PictureError(Exception):
    """A picture cannot be used, for a reason that lies in the picture.

    Attributes:
        field: which field of the request has it; empty where the caller did not say.
        problem: what is wrong and what would be right, to be read behind the field's name.
        defect: `too_many_bytes`, `too_many_pixels`, `not_a_picture`, `cut_off`,
            `unsupported_format`, `mask_without_alpha`, `mask_size` or `too_costly`.
    """

    def __init__(self, field: str, problem: str, *, defect: str) -> None:
        """Create an error."""
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem
        self.defect = defect


class PicturesUnavailable(Exception):
    """No picture can be read or written at the moment; another attempt may succeed."""
