"""What differs between models of films: data from `config/videos/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from llm_api.domain.making import Size
from llm_api.domain.video_sizes import usual_size
from llm_api.upstream.media.vendor_models import VendorModel, VendorProfile

# Whether a model's films have sound: as they are asked, always, or never.
ASKED, ALWAYS, NEVER = "asked", "always", "never"
_USUAL_RESOLUTION, _USUAL_RATIO = "720p", "16:9"


@dataclass(frozen=True)
class VideoModel(VendorModel):
    """What a model of films takes beside what every model may take.

    Attributes:
        durations: the seconds that it makes, listed; empty for all from `min_seconds` to
            `max_seconds`.
        default_seconds: those for callers that name none.
        can_choose_seconds: whether it may choose them itself.
        resolutions: those that it makes.
        ratios: aspect ratios that it makes.
        can_choose_ratio: whether it may choose one itself.
        frame_ratio: whether a film from a first frame can be asked for in an aspect ratio.
        sizes: sizes in pixels by resolution and aspect ratio, where they are not the usual ones;
            `is_sized` says that the vendor is asked for a size instead of the two.
        has_first_frame, has_last_frame: whether it takes them.
        needs_last_frame: whether a first frame is not enough.
        needs_picture: whether it makes nothing from words alone.
        needs_prompt: whether it makes nothing from a first frame alone.
        max_reference_images, max_reference_videos, max_reference_audios: how many it takes.
        audio: `asked`, `always` or `never`.
        fps: frames a second that can be asked for.
        tokens_per_pixel: output tokens for each pixel of each second, where tokens are charged.
        input_seconds: the most seconds of reference films that are charged with the film's own.
        expiry: the least and the most seconds after which its vendor can be told to end a task;
            empty where it is not told.
    """

    noun: ClassVar[str] = "film"
    own_names: ClassVar[Mapping[str, str]] = {
        "resolution": "resolution",
        "size": "resolution",
        "image_size": "resolution",
        "ratio": "aspect_ratio",
        "duration": "duration",
        "seconds": "duration",
        "fps": "fps",
        "audio": "audio",
        "img_url": "first_frame",
        "first_frame_url": "first_frame",
        "first_frame": "first_frame",
        "last_frame_url": "last_frame",
        "last_frame": "last_frame",
        "input_reference": "first_frame",
        "reference_image": "reference_images",
        "reference_video": "reference_videos",
        "reference_audio": "reference_audios",
        "audio_url": "reference_audios",
        # No field of callers.
        "execution_expires_after": "",
        # Frames and references, whatever the caller has sent.
        "image": "",
        "images": "",
        "image_url": "",
        "media": "",
    }

    durations: tuple[int, ...] = ()
    min_seconds: int = 1
    max_seconds: int = 60
    default_seconds: int = 5
    can_choose_seconds: bool = False
    resolutions: tuple[str, ...] = ("720p",)
    ratios: tuple[str, ...] = ("16:9", "9:16", "1:1", "4:3", "3:4")
    can_choose_ratio: bool = False
    frame_ratio: bool = True
    sizes: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    is_sized: bool = False
    has_first_frame: bool = False
    has_last_frame: bool = False
    needs_last_frame: bool = False
    needs_picture: bool = False
    needs_prompt: bool = True
    max_reference_images: int = 0
    max_reference_videos: int = 0
    max_reference_audios: int = 0
    audio: str = ASKED
    fps: tuple[int, ...] = ()
    tokens_per_pixel: float = 0.0
    input_seconds: int = 0
    expiry: tuple[int, ...] = ()

    @property
    def problem(self) -> str:
        """See VendorModel."""
        if list(self.expiry) != sorted(self.expiry):
            return "expiry: Must be the least seconds, and then the most."
        if self.default_seconds in self.lengths:
            return ""
        return "default_seconds: Must be one of the lengths that it makes; it is 5 where left out."

    @property
    def lengths(self) -> Sequence[int]:
        """The seconds that it makes."""
        return self.durations or range(self.min_seconds, self.max_seconds + 1)

    @property
    def longest(self) -> int:
        """The most seconds of a film."""
        return max(self.durations, default=self.max_seconds)

    @property
    def usual_resolution(self) -> str:
        """The resolution for callers that name none."""
        usual = _USUAL_RESOLUTION
        return usual if usual in self.resolutions else self.resolutions[0]

    def usual_ratio(self, resolution: str) -> str:
        """Return the aspect ratio for callers that name none, without a first frame."""
        made = self.ratios_of(resolution)
        return _USUAL_RATIO if _USUAL_RATIO in made else made[0]

    def ratios_of(self, resolution: str) -> tuple[str, ...]:
        """Return the aspect ratios that it makes in a resolution."""
        listed = self.sizes.get(resolution)
        return tuple(listed) if self.is_sized and listed else self.ratios

    def size_of(self, resolution: str, ratio: str) -> Size:
        """Return the size of a film in pixels: the model's own, else the usual one.

        A ratio that the model is to choose counts as 16:9.
        """
        listed = self.sizes.get(resolution, {})
        return listed.get(ratio) or usual_size(resolution, ratio)


VideoProfile = VendorProfile[VideoModel]
