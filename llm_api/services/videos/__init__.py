"""Makes films: each request is a job of `services.jobs`, as those for pictures are.

`video_service` is what callers use, `video_orders` makes requests ready, `film_keeping` keeps what
is made, `video_outcome` is what callers see, `video_bills` what it costs.
"""

from llm_api.services.videos.video_job import VideoJob
from llm_api.services.videos.video_service import VideoService

__all__ = ["VideoJob", "VideoService"]
