"""Shows pictures to models that see: those whose prompt is wanted, and those of an edit."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Completion
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.prompts import PromptRequest
from llm_api.errors import Forbidden, NotFound, Unavailable
from llm_api.services.prompts.task import Task
from llm_api.services.routing.catalogue import Destination

# What a model has seen of an edit's pictures.
BLIND, SHOWN, UNSEEN = "", "shown", "unseen"
_WARNINGS = {
    BLIND: "The edit was rewritten from its words alone: no vision model (JUDGE_LLM_MODEL) is"
    " configured, or this key may not use it.",
    UNSEEN: "The edit was rewritten from its words alone: the model counts too few tokens to have"
    " seen the pictures.",
}


class VisionModels(Protocol):
    """Where models are that see, and how they are shown a picture."""

    def route(self, model: str | None, key: ApiKey | None) -> Destination:
        """Return where a named model is, or the judge; raises ApiError."""

    def part(self, picture: JudgedPicture, detail: str, at: Destination) -> Mapping[str, Any]:
        """Return the part of a message that shows a picture to the model at a destination."""

    def unseen(
        self,
        parameters: Mapping[str, Any],
        pictures: Sequence[JudgedPicture],
        completion: Completion,
        at: Destination,
    ) -> str | None:
        """Return a sentence where a call took too few tokens for its pictures."""


class Sight:
    """Shows the pictures of an edit to the judge's model, where one is configured."""

    def __init__(self, models: VisionModels | None = None) -> None:
        """Create it; without `models` nothing is shown."""
        self._models = models

    def route(self, request: PromptRequest, key: ApiKey | None) -> Destination | None:
        """Return where an edit with pictures goes; None where no model sees them for this key."""
        if self._models is None or not request.pictures:
            return None
        try:
            at = self._models.route(None, key)
        except (Unavailable, Forbidden, NotFound):
            return None
        return None if at.is_guided else at

    def shown(
        self, task: Task, parameters: Mapping[str, Any], at: Destination
    ) -> Mapping[str, Any]:
        """Return the parameters of a call, with the pictures of an edit if its model sees them.

        Args:
            task: the edit; its pictures stand in the order in which it numbers them.
            parameters: without them.
            at: where the call goes.
        """
        if self._models is None or not task.wanted.sees_pictures:
            return parameters
        *before, last = parameters["messages"]
        parts = [self._models.part(picture, "auto", at) for picture in task.request.pictures]
        content = [*parts, {"type": "text", "text": last["content"]}]
        return {**parameters, "messages": [*before, {**last, "content": content}]}

    def of(
        self,
        task: Task,
        parameters: Mapping[str, Any] | None,
        completion: Completion | None,
        at: Destination,
    ) -> str:
        """Return what a call has shown to its model: `shown`, `unseen`, or "" without pictures.

        They are not seen where it took fewer tokens than they need, as far as that is known.
        """
        models = self._models
        if models is None or parameters is None or completion is None:
            return BLIND
        if not task.wanted.sees_pictures:
            return BLIND
        unseen = models.unseen(parameters, task.request.pictures, completion, at)
        return SHOWN if unseen is None else UNSEEN


def sight_warnings(request: PromptRequest, sight: str) -> Sequence[str]:
    """Return a sentence where the pictures of a request were not seen by the model that wrote."""
    warning = _WARNINGS.get(sight) if request.pictures else None
    return [] if warning is None else [warning]
