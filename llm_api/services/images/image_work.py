"""What the work on jobs has to know of pictures."""

from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.images.image_outcome import pictures_event
from llm_api.services.jobs.job_work import MadeKind

PICTURES = MadeKind(
    document=ImageDocument,
    step="make_pictures",
    noun="image model",
    not_configured=IMAGE_MODELS.reason,
    event=pictures_event,
)
