"""Makes pictures: each request is a job, a task that outlives its client and its process.

`image_service` is what callers use, `orders` makes requests ready, `keeping` keeps what is made,
`image_outcome` is what callers see, `bills` what it costs; `services.jobs` does the rest.
"""

from llm_api.services.images.image_job import ImageJob, MadePicture
from llm_api.services.images.image_service import ImageService
from llm_api.services.jobs.inputs import ImageInputs
from llm_api.services.jobs.job import JobPreview

__all__ = ["ImageInputs", "ImageJob", "ImageService", "JobPreview", "MadePicture"]
