"""What a size in pixels means to models that know resolutions and aspect ratios."""

import math

from llm_api.domain.making import Size
from llm_api.domain.videos import RATIOS, RESOLUTIONS
from llm_api.upstream.media.video_profiles import usual_size


def nearest_of(size: Size) -> tuple[str, str]:
    """Return the resolution and the aspect ratio that are nearest to a size."""
    shape = math.log(size.width / size.height)
    ratios = [ratio for ratio in RATIOS if ":" in ratio]
    ratio = min(ratios, key=lambda one: abs(math.log(_shape(one)) - shape))
    area = math.log(size.pixels)
    resolution = min(
        RESOLUTIONS, key=lambda one: abs(math.log(usual_size(one, ratio).pixels) - area)
    )
    return resolution, ratio


def _shape(ratio: str) -> float:
    wide, _, high = ratio.partition(":")
    return int(wide) / int(high)
