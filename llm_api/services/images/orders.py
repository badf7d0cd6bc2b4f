"""Makes requests for pictures ready: routed, rewritten, and in the terms of their models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import IMAGE, Caller, CallReport, CallResult
from llm_api.domain.images import ImageRequest
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.making import FittedRequest, InputPicture, Notice
from llm_api.domain.prompts import (
    EDIT,
    GENERIC,
    MAX_EDITED_PICTURES,
    OptimizedPrompt,
    PromptRequest,
    Target,
)
from llm_api.domain.tasks import Task
from llm_api.errors import InvalidRequest
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.image_models import ImageDestination, ImageModels
from llm_api.services.jobs.document import IMAGE as IMAGE_JOB
from llm_api.services.jobs.document import Payer, new_parts
from llm_api.services.prompts import PromptOptimizer

_LANGUAGE = "optimize_options.language"
_GRACE = timedelta(minutes=1)  # between the deadline of a job and that of its vendor calls


@dataclass(frozen=True, slots=True)
class Order:
    """A request that is ready to be made: where it goes, and in which terms.

    `others` are for when that fails; `prompt_original` is the caller's, `report` of the rewrite.
    """

    at: ImageDestination
    request: ImageRequest
    fitted: FittedRequest
    others: tuple[tuple[ImageDestination, FittedRequest], ...]
    prompt_original: str
    notices: tuple[Notice, ...] = ()
    report: CallReport = field(default_factory=CallReport)

    @property
    def all_fitted(self) -> Sequence[FittedRequest]:
        """The request in the terms of each model that may be asked, the first one's first."""
        return [self.fitted, *(fitted for _, fitted in self.others)]

    def task(
        self,
        job_id: str,
        caller: Caller,
        now: datetime,
        *,
        keep: timedelta,
        callback_url: str | None,
    ) -> Task:
        """Return the task that is to make it; its row and its files are kept for `keep`."""
        key, payer = caller.key, Payer.of(caller)
        document = ImageDocument(
            request=self.request,
            prompt_original=self.prompt_original,
            fitted=self.fitted,
            upstream=self.at.upstream.name,
            payer=payer,
            requested_model=self.at.requested_model,
            others=tuple((at.upstream.name, at.model) for at, _ in self.others),
            parts=new_parts(self.fitted),
            notices=self.notices,
            callback_url=callback_url,
        )
        limit = timedelta(seconds=max(one.seconds for one in self.all_fitted))
        return Task(
            id=job_id,
            kind=IMAGE_JOB,
            created_at=now,
            due_at=now,
            deadline_at=now + limit + _GRACE,
            expires_at=now + keep,
            document=document.to_json(),
            key_id=None if key is None else key.id,
            request_id=caller.request_id,
            lineage_id=payer.lineage_id,
        )


class Orders:
    """Makes requests ready."""

    def __init__(
        self,
        models: ImageModels,
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
        self._optimizer = optimizer
        self._see = see
        # The longest name first: it says most.
        known = (targets or {}).values()
        self._targets = sorted(known, key=lambda target: len(target.name), reverse=True)

    def order(self, request: ImageRequest, caller: Caller, optimize: PromptRequest | None) -> Order:
        """Rewrite the prompt where that is wanted, and put the request into its model's terms.

        Raises:
            ApiError: the model does not take the request, is not there, or not for the caller.
        """
        at = self.destination(request, caller.key)
        original, report = request.prompt, CallReport()
        notices: tuple[Notice, ...] = ()
        if optimize is not None:
            # What the model does not take is refused before anybody is paid for a rewrite.
            at.upstream.fit(replace(request, prompt="x"), at.model)
            request, notices, report = self._rewritten(request, caller, optimize, at)
        fitted = at.upstream.fit(request, at.model)
        return Order(at, request, fitted, tuple(_others(at, request)), original, notices, report)

    def _rewritten(
        self, request: ImageRequest, caller: Caller, optimize: PromptRequest, at: ImageDestination
    ) -> tuple[ImageRequest, tuple[Notice, ...], CallReport]:
        # A call of its own, with a usage row of its own.
        payer = replace(
            caller,
            request_id=f"{caller.request_id}_p",
            lineage_id=caller.lineage_id or caller.request_id,
            shown_id=caller.shown_id or caller.request_id,
        )
        wanted = replace(
            self.wanted(optimize, request, at.model),
            include_negative_prompt=_takes_what_a_flag_excludes(at, request),
        )
        result = _optimized(self._optimizer, wanted, payer)
        prompt = result.answer
        notices = tuple(Notice("optimize_prompt", "dropped", text) for text in prompt.warnings)
        notices += tuple(_not_of_edits(optimize, wanted, request))
        is_optimized = prompt.optimized_prompt != prompt.original_prompt
        rewritten = replace(
            request,
            prompt=prompt.optimized_prompt,
            negative_prompt=request.negative_prompt or prompt.negative_prompt or None,
            is_optimized=is_optimized,
        )
        return rewritten, notices, result.report

    def destination(self, request: ImageRequest, key: ApiKey | None) -> ImageDestination:
        """Return where a request goes; raises ApiError."""
        return self._models.route(request.model, key)

    def wanted(self, optimize: PromptRequest, request: ImageRequest, model: str) -> PromptRequest:
        """Return how the prompt of a request for pictures is to be rewritten for a model.

        With pictures it is an edit of them, whose words say its style. Raises ApiError where they
        cannot be read.
        """
        if not request.references:
            return replace(optimize, target_model=self.target_of(model, IMAGE))
        see, shown = self._see, request.references[:MAX_EDITED_PICTURES]
        return replace(
            optimize,
            type=EDIT,
            target_model=self.target_of(model, EDIT),
            pictures=() if see is None else tuple(map(see, shown)),
            style=None,
            camera=None,
        )

    def target_of(self, model: str, kind: str) -> str:
        """Return the target whose name is in a model's, such as `seedream` for its versions.

        Args:
            model: the image model's name.
            kind: what is to be made: `image` or `edit`.
        """
        plain = model.lower().replace(".", "-")  # FLUX.2
        able = (one.name for one in self._targets if kind in one.types)
        return next((name for name in able if name in plain), GENERIC)


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


def _optimized(
    optimizer: PromptOptimizer, wanted: PromptRequest, payer: Caller
) -> CallResult[OptimizedPrompt]:
    """Rewrite a prompt; raises ApiError with the names that the fields have in an order."""
    try:
        return optimizer.optimize(wanted, payer)
    except InvalidRequest as error:
        if [field.field for field in error.fields] != ["language"]:
            raise
        # A target that the name of the image model has chosen.
        message = error.fields[0].message
        raise InvalidRequest.of_field(_LANGUAGE, message, reason=error.reason) from error


def _takes_what_a_flag_excludes(at: ImageDestination, request: ImageRequest) -> bool:
    """Whether a prompt has `--no`, and its model a place for what that excludes."""
    if " --no " not in request.prompt or request.negative_prompt:
        return False
    try:
        at.upstream.fit(replace(request, prompt="x", negative_prompt="x"), at.model)
    except InvalidRequest:
        return False
    return True


def _others(
    at: ImageDestination, request: ImageRequest
) -> Sequence[tuple[ImageDestination, FittedRequest]]:
    """Return the fallbacks that take the request, each with it in its terms."""
    found = []
    for one in at.fallbacks:
        try:
            found.append((one, one.upstream.fit(request, one.model)))
        except InvalidRequest:
            continue
    return found
