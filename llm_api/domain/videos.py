"""What callers ask for where they want films."""

from dataclasses import dataclass

from llm_api.domain.making import InputPicture

# Roles of the pictures that a film begins with, ends with, or is to show.
FIRST_FRAME, LAST_FRAME, REFERENCE = "first_frame", "last_frame", "reference_image"
RESOLUTIONS = ("480p", "720p", "1080p", "4k")
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "auto")
# A duration or an aspect ratio that the model is to choose.
AUTO_SECONDS, AUTO_RATIO = -1, "auto"


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A validated request for a film; None where the caller has left a field out.

    Attributes:
        prompt: what to show; after optimization, the rewrite. It may be empty with a first frame.
        model: as the caller named it.
        duration: seconds; `AUTO_SECONDS` lets the model choose.
        resolution: `480p`, `720p`, `1080p` or `4k`.
        aspect_ratio: such as `16:9`; `AUTO_RATIO` lets the model choose.
        pictures: first and last frame, and references, by their `role`.
        reference_videos, reference_audios: addresses, which the vendor fetches.
        audio: whether the film is to have sound; always sent.
        watermark: whether the vendor may mark the film; always sent.
        camera_fixed: whether the camera must not move.
        fps: frames a second.
        return_last_frame: whether the last picture is wanted beside the film.
        retries_without_audio: whether the film may be silent if a filter refuses its sound.
        max_cost_micro: the most that the film may cost, in millionths of its price's currency.
        adapts: whether what the model does not make becomes the nearest that it does.
        user: a hash of the caller's end user, 64 characters or fewer.
        is_optimized: whether our optimizer has rewritten the prompt: the vendor's must not.
    """

    prompt: str
    model: str | None = None
    negative_prompt: str | None = None
    duration: int | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    pictures: tuple[InputPicture, ...] = ()
    reference_videos: tuple[str, ...] = ()
    reference_audios: tuple[str, ...] = ()
    audio: bool = False
    seed: int | None = None
    watermark: bool = False
    camera_fixed: bool | None = None
    fps: int | None = None
    return_last_frame: bool = False
    retries_without_audio: bool = False
    max_cost_micro: int | None = None
    adapts: bool = False
    user: str | None = None
    is_optimized: bool = False

    def picture(self, role: str) -> InputPicture | None:
        """Return the first picture of a role."""
        return next((one for one in self.pictures if one.role == role), None)
