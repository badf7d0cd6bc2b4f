"""The models that make pictures."""

from llm_api.domain.calls import IMAGE
from llm_api.services.jobs.job_models import ModelKind

_ADVICE = (
    "No image model is configured on this service. Three lines in .env configure one:"
    " IMAGE_LLM_API_URL=https://…, IMAGE_LLM_API_KEY=… and IMAGE_LLM_MODEL=…; without one, the"
    ' model "layout-sketch" draws a layout of a prompt.'
)
IMAGE_MODELS = ModelKind(
    kind=IMAGE,
    noun="an image model",
    results="pictures",
    reason="image_model_not_configured",
    advice=_ADVICE,
)
