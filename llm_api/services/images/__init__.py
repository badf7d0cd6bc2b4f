"""Makes pictures: each request is a job, a task that outlives its client and its process.

`image_service` is what callers use, `orders` makes requests ready, `keeping` keeps what is made,
`image_outcome` is what callers see, `bills` what it costs; `services.jobs` does the rest.
"""

from llm_api.services.images.image_service import ImageService
from llm_api.services.images.inputs import ImageInputs
from llm_api.services.images.job import ImageJob, ImagePreview, MadePicture

__all__ = ["ImageInputs", "ImageJob", "ImagePreview", "ImageService", "MadePicture"]
