"""Makes requests for pictures ready: routed, rewritten, and in the terms of their models."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import IMAGE, Caller, CallReport
from llm_api.domain.images import ImageRequest
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.making import InputPicture, Notice
from llm_api.domain.prompts import (
    EDIT,
    MAX_EDITED_PICTURES,
    PromptRequest,
    Target,
)
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.jobs.document import IMAGE as IMAGE_JOB
from llm_api.services.jobs.job_models import JobDestination, JobModels
from llm_api.services.jobs.job_rewriter import (
    PLACEHOLDER,
    JobRewriter,
    takes_what_a_flag_excludes,
    with_rewrite,
    with_room,
)
from llm_api.services.jobs.order import Order, others_of
from llm_api.services.prompts import PromptOptimizer


class Orders:
    """Makes requests ready."""

    def __init__(
        self,
        models: JobModels,
        optimizer: PromptOptimizer,
        targets: Mapping[str, Target] | None = None,
        see: Callable[[InputPicture], JudgedPicture] | None = None,
    ) -> None:
        """Create it.

        Args:
            models: decides where a request goes.
            optimizer: rewrites prompts.
            targets: models for which it writes in a way of their own, by name.
            see: reads a picture of a request for the model that rewrites its edit; raises ApiError.
                None shows it none.
        """
        self._models = models
        self.rewriter = JobRewriter(optimizer, targets or {})
        self._see = see

    def order(
        self, request: ImageRequest, caller: Caller, optimize: PromptRequest | None
    ) -> Order[ImageRequest]:
        """Rewrite the prompt where that is wanted, and put the request into its model's terms.

        Raises:
            ApiError: the model does not take the request, is not there, or not for the caller.
        """
        at = self.destination(request, caller.key)
        original, report = request.prompt, CallReport()
        notices: tuple[Notice, ...] = ()
        if optimize is not None:
            # What the model does not take is refused before anybody is paid for a rewrite.
            tried = at.upstream.fit(replace(request, prompt=PLACEHOLDER), at.model)
            optimize = with_room(optimize, tried)
            request, notices, report = self._rewritten(request, caller, optimize, at)
        fitted = at.upstream.fit(request, at.model)
        return Order(
            IMAGE_JOB,
            ImageDocument,
            at,
            request,
            fitted,
            others_of(at, request),
            original,
            notices,
            report,
        )

    def _rewritten(
        self, request: ImageRequest, caller: Caller, optimize: PromptRequest, at: JobDestination
    ) -> tuple[ImageRequest, tuple[Notice, ...], CallReport]:
        wanted = replace(
            self.wanted(optimize, request, at.model),
            include_negative_prompt=takes_what_a_flag_excludes(at, request),
        )
        result = self.rewriter.rewritten(wanted, caller)
        rewritten, notices = with_rewrite(request, result.answer)
        return rewritten, (*notices, *_not_of_edits(optimize, wanted, request)), result.report

    def destination(self, request: ImageRequest, key: ApiKey | None) -> JobDestination:
        """Return where a request goes; raises ApiError."""
        return self._models.route(request.model, key)

    def wanted(self, optimize: PromptRequest, request: ImageRequest, model: str) -> PromptRequest:
        """Return how the prompt of a request for pictures is to be rewritten for a model.

        With pictures it is an edit of them, whose words say its style. Raises ApiError where they
        cannot be read.
        """
        if not request.references:
            return replace(optimize, target_model=self.rewriter.target_of(model, IMAGE))
        see, shown = self._see, request.references[:MAX_EDITED_PICTURES]
        return replace(
            optimize,
            type=EDIT,
            target_model=self.rewriter.target_of(model, EDIT),
            pictures=() if see is None else tuple(map(see, shown)),
            style=None,
            camera=None,
        )


def _not_of_edits(
    optimize: PromptRequest, wanted: PromptRequest, request: ImageRequest
) -> Iterator[Notice]:
    """Yield what of a request has no part in the rewrite of an edit."""
    for name in ("style", "camera"):
        if getattr(optimize, name) is not None and getattr(wanted, name) is None:
            message = f"{name} has no effect on an edit: say it in the prompt."
            yield Notice("optimize_options", "dropped", message)
    if len(request.references) > len(wanted.pictures) > 0:
        message = f"The rewrite considers the first {len(wanted.pictures)} pictures."
        yield Notice("optimize_prompt", "adapted", message)
