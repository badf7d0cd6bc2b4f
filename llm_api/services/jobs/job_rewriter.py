"""Has the prompts of jobs rewritten, for the models that they go to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from llm_api.domain.calls import Caller, CallResult
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import FittedRequest, Notice
from llm_api.domain.prompts import GENERIC, OptimizedPrompt, PromptRequest, Target
from llm_api.domain.videos import VideoRequest
from llm_api.errors import InvalidRequest
from llm_api.services.jobs.job_models import JobDestination
from llm_api.services.prompts import PromptOptimizer

R = TypeVar("R", ImageRequest, VideoRequest)
_LANGUAGE = "optimize_options.language"

# Stands for a prompt that is still to be written.
PLACEHOLDER = "x"
_LEAST = 20  # characters that a rewrite may be wanted in


class JobRewriter:
    """Rewrites prompts."""

    def __init__(self, optimizer: PromptOptimizer, targets: Mapping[str, Target]) -> None:
        """Use an optimizer; `targets` are models for which it writes in a way of their own."""
        self._optimizer = optimizer
        # The longest name first: it says most.
        known = targets.values()
        self._targets = sorted(known, key=lambda target: len(target.name), reverse=True)

    def rewritten(self, wanted: PromptRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """Rewrite a prompt; raises ApiError with the names that the fields have in an order."""
        # A call of its own, with a usage row of its own.
        payer = replace(
            caller,
            request_id=f"{caller.request_id}_p",
            lineage_id=caller.lineage_id or caller.request_id,
            shown_id=caller.shown_id or caller.request_id,
        )
        try:
            return self._optimizer.optimize(wanted, payer)
        except InvalidRequest as error:
            if [field.field for field in error.fields] != ["language"]:
                raise
            # A target that the name of the model has chosen.
            message = error.fields[0].message
            raise InvalidRequest.of_field(_LANGUAGE, message, reason=error.reason) from error

    def target_of(self, model: str, kind: str) -> str:
        """Return the target whose name is in a model's, such as `seedream` for its versions.

        Vendors write one name with hyphens and without: `wan-3` is in `wan3.0-video`, too.

        Args:
            model: the vendor's name of the model.
            kind: what is to be made: `image`, `video` or `edit`.
        """
        plain = model.lower().replace(".", "-")  # FLUX.2
        joined = _joined(plain)
        able = (one.name for one in self._targets if kind in one.types)
        return next((name for name in able if name in plain or _joined(name) in joined), GENERIC)


def with_rewrite(request: R, prompt: OptimizedPrompt) -> tuple[R, tuple[Notice, ...]]:
    """Return a request with its prompt rewritten, and what its caller must know of that."""
    notices = tuple(Notice("optimize_prompt", "dropped", text) for text in prompt.warnings)
    rewritten = replace(
        request,
        prompt=prompt.optimized_prompt,
        negative_prompt=request.negative_prompt or prompt.negative_prompt or None,
        is_optimized=prompt.optimized_prompt != prompt.original_prompt,
    )
    return rewritten, notices


def with_room(wanted: PromptRequest, tried: FittedRequest) -> PromptRequest:
    """Return what is wanted of a rewrite that its model takes, whose prompt may be short.

    `tried` is the request with the prompt `PLACEHOLDER`: what stands beside that is added to any.
    """
    if tried.max_prompt is None:
        return wanted
    room = max(_LEAST, tried.max_prompt - len(tried.prompt) + len(PLACEHOLDER))
    return replace(wanted, max_length=min(room, wanted.max_length or room))


def takes_what_a_flag_excludes(at: JobDestination, request: ImageRequest | VideoRequest) -> bool:
    """Whether a prompt has `--no`, and its model a place for what that excludes."""
    if " --no " not in request.prompt or request.negative_prompt:
        return False
    try:
        at.upstream.fit(replace(request, prompt=PLACEHOLDER, negative_prompt="x"), at.model)
    except InvalidRequest:
        return False
    return True


def _joined(name: str) -> str:
    return name.replace("-", "")
