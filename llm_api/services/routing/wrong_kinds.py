"""What is answered to calls that name a model which makes something else."""

from llm_api.domain.calls import VIDEO
from llm_api.errors import InvalidRequest


def made_elsewhere(kind: str) -> InvalidRequest:
    """Return the error for a model that makes films or pictures, where neither is wanted."""
    if kind == VIDEO:
        message = "makes films: it is for /v1/videos."
        return InvalidRequest.of_field("model", message, reason="model_makes_films")
    message = "makes pictures: it is for /v1/images/generations."
    return InvalidRequest.of_field("model", message, reason="model_makes_images")
