"""Makes requests for films ready: routed, rewritten, and in the terms of their models."""

from dataclasses import replace
from typing import cast

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallReport
from llm_api.domain.making import Notice
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.videos import VideoRequest
from llm_api.services.jobs.document import VIDEO
from llm_api.services.jobs.job_models import JobDestination, JobModels
from llm_api.services.jobs.job_rewriter import (
    PLACEHOLDER,
    JobRewriter,
    takes_what_a_flag_excludes,
    with_rewrite,
    with_room,
)
from llm_api.services.jobs.order import Order, others_of
from llm_api.services.videos.video_document import VideoDocument
from llm_api.upstream.media.video_client import VideoClient
from llm_api.upstream.media.video_profiles import VideoModel

_TYPE = "video"  # of prompts


class VideoOrders:
    """Makes requests ready."""

    def __init__(self, models: JobModels, rewriter: JobRewriter) -> None:
        """Create it: `models` decide where a request goes, `rewriter` rewrites prompts."""
        self._models = models
        self._rewriter = rewriter

    def traits_of(self, model: str, key: ApiKey | None) -> VideoModel:
        """Return what a model takes, by the name that callers use; raises ApiError."""
        at = self._models.route(model, key)
        return cast("VideoClient", at.upstream).traits_of(at.model)

    def target_of(self, model: str, key: ApiKey | None) -> str:
        """Return the target of rewrites for a model, by the name that callers use."""
        return self._rewriter.target_of(self._models.route(model, key).model, _TYPE)

    def order(
        self, request: VideoRequest, caller: Caller, optimize: PromptRequest | None
    ) -> Order[VideoRequest]:
        """Rewrite the prompt where that is wanted, and put the request into its model's terms.

        Raises:
            ApiError: the model does not take the request, is not there, or not for the caller.
        """
        at = self._models.route(request.model, caller.key)
        original, report = request.prompt, CallReport()
        notices: tuple[Notice, ...] = ()
        if optimize is not None and request.prompt:
            # What the model does not take is refused before anybody is paid for a rewrite.
            tried = at.upstream.fit(replace(request, prompt=PLACEHOLDER), at.model)
            optimize = with_room(optimize, tried)
            request, notices, report = self._rewritten(request, caller, optimize, at)
        return Order(
            VIDEO,
            VideoDocument,
            at,
            request,
            at.upstream.fit(request, at.model),
            others_of(at, request),
            original,
            notices,
            report,
        )

    def _rewritten(
        self, request: VideoRequest, caller: Caller, optimize: PromptRequest, at: JobDestination
    ) -> tuple[VideoRequest, tuple[Notice, ...], CallReport]:
        target = self._rewriter.target_of(at.model, _TYPE)
        wanted = replace(
            optimize,
            type=_TYPE,
            target_model=target,
            include_negative_prompt=takes_what_a_flag_excludes(at, request),
        )
        result = self._rewriter.rewritten(wanted, caller)
        return *with_rewrite(request, result.answer), result.report
