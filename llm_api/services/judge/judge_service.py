"""Judges pictures: scores one, compares two, ranks up to eight."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallReport, CallResult, Completion
from llm_api.domain.judging import (
    Comparison,
    JudgedPicture,
    JudgeRequest,
    Ranking,
    Verdict,
)
from llm_api.domain.lineage import LineageEvent
from llm_api.errors import Unavailable
from llm_api.services.judge.asking import Hearing, blind_model
from llm_api.services.judge.judged_pictures import MAX_SIDE, JudgedPictures
from llm_api.services.judge.measuring import Measuring
from llm_api.services.judge.pairs import compared, ranked
from llm_api.services.judge.picture_parts import picture_part, unseen
from llm_api.services.judge.questions import wants_alignment
from llm_api.services.judge.rubric import LANGUAGES, Rubric
from llm_api.services.judge.sampling import questions_of, sampled
from llm_api.services.judge.verdict_events import comparison_event, verdict_event
from llm_api.services.judge.verdicts import verdict_of, without_reasoning
from llm_api.services.measured_judge import merged, verdict_of_measured
from llm_api.services.pricing import PriceList
from llm_api.services.prompts import is_chinese, requirements_of
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.services.usage.ledger import UsageLedger

NOT_CONFIGURED = Unavailable(
    "No vision model is configured on this service. Three lines in .env configure one:"
    " JUDGE_LLM_API_URL=https://…, JUDGE_LLM_API_KEY=… and JUDGE_LLM_MODEL=…; a request may also"
    ' name a "model" that sees pictures.',
    reason="judge_not_configured",
    retryable=False,
)
NOT_MEASURED = "The picture was not measured; text in it is as the model has read it."
# Stands for a picture that there is not yet.
_LARGEST = JudgedPicture(b"", "image/jpeg", MAX_SIDE, MAX_SIDE, b"")


@dataclass(frozen=True, slots=True)
class JudgeTools:
    """What pictures are judged with.

    Attributes:
        catalogue: routes calls.
        ledger: accounts for calls.
        prices: what calls cost.
        pictures: reads callers' pictures.
        measuring: measures pictures.
        rubrics: by language.
        upstream: name of the upstream for callers who name no model; None: there is none.
        record: writes a verdict or a comparison down in its lineage; raises nothing.
    """

    catalogue: Catalogue
    ledger: UsageLedger
    prices: PriceList
    pictures: JudgedPictures
    measuring: Measuring
    rubrics: Mapping[str, Rubric]
    upstream: str | None
    record: Callable[[LineageEvent], None] = lambda _: None


class JudgeService:
    """Judges pictures with a vision model. All its methods raise ApiError."""

    def __init__(self, tools: JudgeTools) -> None:
        """Judge with these tools."""
        self._tools = tools

    @property
    def has_vision(self) -> bool:
        """Whether there is a vision model for callers who name none."""
        return self._tools.upstream is not None

    @property
    def rubric_version(self) -> str:
        """The version of the rubric, which is the same in all languages."""
        return next(iter(self._tools.rubrics.values())).version

    def read_picture(self, data: bytes, field: str, media_type: str | None = None) -> JudgedPicture:
        """Return a picture of its bytes; see `JudgedPictures.read`."""
        return self._tools.pictures.read(data, field, media_type)

    def fetch_picture(self, url: str, field: str) -> JudgedPicture:
        """Return the picture at an https address; raises InvalidRequest, which names the field."""
        return self.read_picture(self._tools.pictures.fetch(url, field), field)

    def own_picture(self, file_id: str, key: ApiKey | None, field: str) -> JudgedPicture:
        """Return a picture that this service has made or kept for the key."""
        return self._tools.pictures.own(file_id, key, field)

    def route(self, model: str | None, key: ApiKey | None) -> Destination:
        """Decide where a call with a picture goes; None stands for the judge's model.

        Raises Unavailable (`judge_not_configured`), NotFound or Forbidden.
        """
        if model is not None:
            return self._tools.catalogue.route(model, key=key)
        if self._tools.upstream is None:
            raise NOT_CONFIGURED.replaced()
        return self._tools.catalogue.route_to(self._tools.upstream, key=key)

    def part(self, picture: JudgedPicture, detail: str, at: Destination) -> Mapping[str, Any]:
        """Return the part of a message that has a picture; see `picture_part`."""
        return picture_part(picture, detail, at)

    def unseen(
        self,
        parameters: Mapping[str, Any],
        pictures: Sequence[JudgedPicture],
        completion: Completion,
        at: Destination,
    ) -> str | None:
        """Return a warning where a call took too few tokens for its pictures; see `unseen`."""
        return unseen(parameters, pictures, completion, at)

    def check(self, model: str | None, key: ApiKey | None, *, is_pairwise: bool) -> None:
        """Raise ApiError where a request cannot be served, before its pictures are read.

        `is_pairwise` is for those that compare or rank, which nothing can that only measures.
        """
        if is_pairwise or self._sees(model):
            self.route(model, key)

    def needs(
        self, request: JudgeRequest, key: ApiKey | None
    ) -> tuple[TokenEstimate, Destination] | None:
        """Return the most tokens that `score` can take, and where its calls go.

        None where it only measures, which is free. A request without a picture is estimated for one
        of the largest size. Raises InvalidRequest for a model that takes no pictures.
        """
        if not self._sees(request.model):
            return None
        at, request = self.route(request.model, key), _required(request)
        if not at.upstream.vision.takes_pictures:
            raise blind_model()
        if not request.pictures:
            request = replace(request, pictures=(_LARGEST,))
        alignment, quality = questions_of(self._rubric(request), request)
        estimates = [question.estimate(at) for question in (*alignment, *quality)]
        prompt = sum(estimate.prompt_tokens for estimate in estimates)
        completion = sum(estimate.completion_tokens for estimate in estimates)
        return TokenEstimate(prompt, completion), at

    def score(self, request: JudgeRequest, caller: Caller) -> CallResult[Verdict]:
        """Return the verdict on the picture of a request.

        What the prompt requires counts among the checkpoints. Each question and sample is a call
        with a usage row of its own, all of one lineage: their ids are that of the caller's request,
        and the same with a number behind it. Without a vision model the picture is measured alone.

        Raises:
            UpstreamFault: no answer could be read; there is no score then.
            ContentFiltered: a filter has refused the picture or the prompt.
            ApiError: of routing, limits, budgets and upstreams.
        """
        request = _required(request)
        if self._sees(request.model):
            found = self._seen_and_measured(request, caller)
        else:
            measured = self._tools.measuring.measured(request)
            found = CallResult(verdict_of_measured(*measured), CallReport())
        self._tools.record(verdict_event(request.pictures[0], found.answer, caller))
        return found if request.includes_reasoning else _without_reasoning(found)

    def _seen_and_measured(self, request: JudgeRequest, caller: Caller) -> CallResult[Verdict]:
        """Return what a vision model says, with what is measured meanwhile."""
        self.route(request.model, caller.key)
        measuring = self._tools.measuring.beside(request)
        seen = self.look(request, caller)
        measured, verdict = measuring(), seen.answer
        if measured is None:
            verdict = replace(verdict, warnings=(*verdict.warnings, NOT_MEASURED))
        else:
            verdict = merged(verdict, *measured, threshold=request.threshold)
        return CallResult(verdict, seen.report)

    def look(self, request: JudgeRequest, caller: Caller) -> CallResult[Verdict]:
        """Return what the vision model alone says: nothing is measured, or read from the prompt.

        Raises as `score` does, and Unavailable where there is no vision model.
        """
        hearing, rubric = self._hearing(request, caller), self._rubric(request)
        samples = sampled(hearing, rubric, request)
        cost, currency = hearing.cost
        verdict = replace(
            verdict_of(request, rubric, samples),
            model=hearing.model,
            cost_micro=cost,
            currency=currency,
        )
        return CallResult(verdict, hearing.report)

    def _sees(self, model: str | None) -> bool:
        """Whether there is a vision model for a request that names `model`."""
        return model is not None or self.has_vision

    def compare(self, request: JudgeRequest, caller: Caller) -> CallResult[Comparison]:
        """Return which of the two pictures of a request is the better one; see `score`."""
        hearing = self._hearing(request, caller)
        found = compared(hearing, self._rubric(request), request)
        self._tools.record(comparison_event(request, found, caller))
        return CallResult(found, hearing.report)

    def rank(self, request: JudgeRequest, caller: Caller) -> CallResult[Ranking]:
        """Return the pictures of a request in their order; see `score`.

        With n pictures it makes n(n - 1) calls a sample.
        """
        hearing = self._hearing(request, caller)
        found = ranked(hearing, self._rubric(request), request)
        self._tools.record(comparison_event(request, found, caller))
        return CallResult(found, hearing.report)

    def _hearing(self, request: JudgeRequest, caller: Caller) -> Hearing:
        destination = self.route(request.model, caller.key)
        return Hearing(self._tools.ledger, self._tools.prices, destination, caller)

    def _rubric(self, request: JudgeRequest) -> Rubric:
        """Return the rubric in the language of a request: where it says none, its texts'."""
        language = request.language
        if language not in LANGUAGES:
            texts = [request.prompt] if request.prompt else list(request.checkpoints)
            language = "zh" if is_chinese("\n".join(texts)) else "en"
        return self._tools.rubrics[language]


def _required(request: JudgeRequest) -> JudgeRequest:
    """Return a request with what its prompt requires, unless it says that itself.

    Who asks for quality alone wants nothing held against the prompt.
    """
    if request.prompt is None or request.requirements or not wants_alignment(request):
        return request
    return replace(request, requirements=requirements_of(request.prompt))


def _without_reasoning(found: CallResult[Verdict]) -> CallResult[Verdict]:
    return CallResult(without_reasoning(found.answer), found.report)
