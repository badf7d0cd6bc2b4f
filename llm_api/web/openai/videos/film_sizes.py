"""What a size in pixels means to models that know resolutions and aspect ratios."""

import math

from llm_api.domain.making import Size
from llm_api.domain.video_sizes import nearest_ratio, usual_size
from llm_api.domain.videos import AUTO_RATIO, RATIOS, RESOLUTIONS


def nearest_of(size: Size) -> tuple[str, str]:
    """Return the resolution and the aspect ratio that are nearest to a size."""
    ratios = [ratio for ratio in RATIOS if ratio != AUTO_RATIO]
    ratio = nearest_ratio(size.width / size.height, ratios)
    area = math.log(size.pixels)
    resolution = min(
        RESOLUTIONS, key=lambda one: abs(math.log(usual_size(one, ratio).pixels) - area)
    )
    return resolution, ratio
