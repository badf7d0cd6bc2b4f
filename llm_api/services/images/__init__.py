"""Makes pictures: each request is a job, a task that outlives its client and its process.

`service` is what callers use, `work` makes the pictures of a job, `document` is what its task keeps.
"""

# from llm_api.services.images.image_service import ImageService
# from llm_api.services.images.inputs import ImageInputs
from llm_api.services.images.job import ImageJob, ImagePreview, MadePicture

__all__ = ["ImageJob", "ImagePreview", "MadePicture"]
