"""Makes pictures: each request is a job, a task that outlives its client and its process.

`image_service` is what callers use, `work` and `parts` make the pictures of a job, `document` is
what its task keeps, `outcome` what has become of it, `accounts` and `bills` what it costs.
"""

from llm_api.services.images.image_service import ImageService
from llm_api.services.images.inputs import ImageInputs
from llm_api.services.images.job import ImageJob, ImagePreview, MadePicture

__all__ = ["ImageInputs", "ImageJob", "ImagePreview", "ImageService", "MadePicture"]
