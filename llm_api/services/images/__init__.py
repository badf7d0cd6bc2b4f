"""Makes pictures."""

from llm_api.services.images.image_service import ImageService
from llm_api.services.images.inputs import ImageInputs
from llm_api.services.images.job import ImageJob, ImagePreview, MadePicture

__all__ = ["ImageInputs", "ImageJob", "ImagePreview", "ImageService", "MadePicture"]
