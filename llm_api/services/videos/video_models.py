"""The models that make films."""

from llm_api.domain.calls import VIDEO
from llm_api.services.jobs.job_models import ModelKind

_ADVICE = (
    "No video model is configured on this service. Three lines in .env configure one:"
    " VIDEO_LLM_API_URL=https://…, VIDEO_LLM_API_KEY=… and VIDEO_LLM_MODEL=…"
)
VIDEO_MODELS = ModelKind(
    kind=VIDEO,
    noun="a video model",
    results="films",
    reason="video_model_not_configured",
    advice=_ADVICE,
)
