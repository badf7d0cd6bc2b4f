"""Judges pictures: scores one, compares two, ranks up to eight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Caller, CallResult, Completion
from llm_api.domain.judging import Comparison, JudgedPicture, JudgeRequest, Ranking, Verdict
from llm_api.errors import Unavailable
from llm_api.services.judge.asking import Hearing, Reply, unreadable
from llm_api.services.judge.judged_pictures import MAX_SIDE, JudgedPictures
from llm_api.services.judge.pairs import compared, ranked
from llm_api.services.judge.picture_parts import picture_part, unseen
from llm_api.services.judge.questions import (
    Question,
    alignment_question,
    quality_question,
    wants_alignment,
    wants_quality,
)
from llm_api.services.judge.readings import Judgment
from llm_api.services.judge.rubric import LANGUAGES, Rubric
from llm_api.services.judge.verdicts import Samples, verdict_of
from llm_api.services.pricing import PriceList
from llm_api.services.prompts import is_chinese
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.services.usage.ledger import UsageLedger

_NOT_CONFIGURED = (
    "No vision model is configured on this service. Three lines in .env configure one:"
    " JUDGE_LLM_API_URL=https://…, JUDGE_LLM_API_KEY=… and JUDGE_LLM_MODEL=…; a request may also"
    ' name a "model" that sees pictures.'
)
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
        rubrics: by language.
        upstream: name of the upstream for callers who name no model; None: there is none.
    """

    catalogue: Catalogue
    ledger: UsageLedger
    prices: PriceList
    pictures: JudgedPictures
    rubrics: Mapping[str, Rubric]
    upstream: str | None


class JudgeService:
    """Judges pictures with a vision model. All its methods raise ApiError."""

    def __init__(self, tools: JudgeTools) -> None:
        """Judge with these tools."""
        self._tools = tools

    @property
    def has_vision(self) -> bool:
        """Whether there is a vision model for callers who name none."""
        return self._tools.upstream is not None

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
            raise Unavailable(_NOT_CONFIGURED, reason="judge_not_configured", retryable=False)
        return self._tools.catalogue.route_to(self._tools.upstream, key=key)

    def part(self, picture: JudgedPicture, detail: str, at: Destination) -> Mapping[str, Any]:
        """Return the part of a message that has a picture; see `picture_part`."""
        return picture_part(picture, detail, at)

    def unseen(
        self,
        parameters: Mapping[str, Any],
        picture: JudgedPicture,
        completion: Completion,
        at: Destination,
    ) -> str | None:
        """Return a warning where a call took too few tokens for its picture; see `unseen`."""
        return unseen(parameters, [picture], completion, at)

    def needs(self, request: JudgeRequest, key: ApiKey | None) -> tuple[TokenEstimate, Destination]:
        """Return the most tokens that `score` can take, and where its calls go.

        A request without a picture is estimated for one of the largest size.
        """
        at = self.route(request.model, key)
        if not request.pictures:
            request = replace(request, pictures=(_LARGEST,))
        alignment, quality = _questions(self._rubric(request), request)
        estimates = [question.estimate(at) for question in (*alignment, *quality)]
        prompt = sum(estimate.prompt_tokens for estimate in estimates)
        completion = sum(estimate.completion_tokens for estimate in estimates)
        return TokenEstimate(prompt, completion), at

    def score(self, request: JudgeRequest, caller: Caller) -> CallResult[Verdict]:
        """Return the verdict on the picture of a request.

        Each question and sample is a call with a usage row of its own, all of one lineage: their
        ids are that of the caller's request, and the same with a number behind it.

        Raises:
            UpstreamFault: no answer could be read; there is no score then.
            ContentFiltered: a filter has refused the picture or the prompt.
            ApiError: of routing, limits, budgets and upstreams.
        """
        hearing, rubric = self._hearing(request, caller), self._rubric(request)
        samples = _sampled(hearing, rubric, request)
        cost, currency = hearing.cost
        verdict = replace(
            verdict_of(request, rubric, samples),
            model=hearing.model,
            cost_micro=cost,
            currency=currency,
        )
        return CallResult(verdict, hearing.report)

    def compare(self, request: JudgeRequest, caller: Caller) -> CallResult[Comparison]:
        """Return which of the two pictures of a request is the better one; see `score`."""
        hearing = self._hearing(request, caller)
        return CallResult(compared(hearing, self._rubric(request), request), hearing.report)

    def rank(self, request: JudgeRequest, caller: Caller) -> CallResult[Ranking]:
        """Return the pictures of a request in their order; see `score`.

        With n pictures it makes n(n - 1) calls a sample.
        """
        hearing = self._hearing(request, caller)
        return CallResult(ranked(hearing, self._rubric(request), request), hearing.report)

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


def _questions(
    rubric: Rubric, request: JudgeRequest
) -> tuple[list[Question[Judgment]], list[Question[Judgment]]]:
    """Return what is asked of alignment and of quality, once a sample."""
    texts = [text for text, _ in _checkpoints(request)]
    samples = range(request.samples)
    alignment = [alignment_question(rubric, request, texts, n) for n in samples]
    quality = [quality_question(rubric, request, n) for n in samples]
    return (
        alignment if wants_alignment(request) or texts else [],
        quality if wants_quality(request) else [],
    )


def _sampled(hearing: Hearing, rubric: Rubric, request: JudgeRequest) -> Samples:
    """Ask all questions; raises UpstreamFault where no answer to one of them could be read."""
    asked = [_said(hearing, questions) for questions in _questions(rubric, request)]
    replies = [reply for some in asked for reply in some]
    warnings = [reply.warning for reply in replies if reply.warning is not None]
    lost = sum(reply.said is None for reply in replies)
    counts = [len(_read(some)) for some in asked if some]
    return Samples(
        alignment=_read(asked[0]),
        quality=_read(asked[1]),
        checkpoints=_checkpoints(request),
        warnings=[*warnings, *_about_lost(lost)],
        is_seen=not warnings,
        count=min(counts, default=0),
    )


def _said(hearing: Hearing, questions: Sequence[Question[Judgment]]) -> list[Reply[Judgment]]:
    replies = [hearing.ask(question) for question in questions]
    if replies and not _read(replies):
        raise unreadable(hearing.report)
    return replies


def _read(replies: list[Reply[Judgment]]) -> list[Judgment]:
    return [reply.said for reply in replies if reply.said is not None]


def _about_lost(count: int) -> list[str]:
    return [f"{count} answers of the model could not be read and do not count."] if count else []


def _checkpoints(request: JudgeRequest) -> list[tuple[str, str]]:
    """Return what is to be answered with yes or no, each with its kind: nothing twice."""
    asked = [(text, "other") for text in request.checkpoints]
    asked += [(one.words, one.kind) for one in request.requirements]
    return list({text: (text, kind) for text, kind in reversed(asked)}.values())[::-1]
