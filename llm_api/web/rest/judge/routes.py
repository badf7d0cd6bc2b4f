"""The route that judges pictures."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from flask import Response, g

from llm_api.domain.calls import Caller, CallResult
from llm_api.domain.judging import Comparison, JudgeRequest, Ranking, Verdict
from llm_api.services.judge import JudgeService
from llm_api.web.idempotency import idempotent
from llm_api.web.making.example_picture import ONE_PIXEL
from llm_api.web.making.picture_bodies import JSON_PARSER
from llm_api.web.making.picture_sources import judged_pictures
from llm_api.web.request.context import RequestState, caller, services
from llm_api.web.response.answers import json_response, report_headers
from llm_api.web.rest.judge.judge_errors import JUDGE_ERRORS, JUDGE_EXAMPLES
from llm_api.web.rest.judge.schemas import (
    COMPARE,
    RANK,
    SCORE,
    JudgeOrder,
    ScoreImageRequestSchema,
)
from llm_api.web.rest.judge.verdict_answers import judged
from llm_api.web.rest.judge.verdict_schemas import (
    ComparisonSchema,
    RankingSchema,
    VerdictSchema,
)
from llm_api.web.smorest import Blueprint

Judged = CallResult[Verdict] | CallResult[Comparison] | CallResult[Ranking]


class _JudgeBlueprint(Blueprint):
    """A blueprint whose bodies have pictures in them."""

    ARGUMENTS_PARSER = JSON_PARSER


blueprint = _JudgeBlueprint(
    "Judge",
    __name__,
    url_prefix="/api/v1/llm",
    description="Pictures judged: scored, compared, ranked.",
)

# What the docs page offers to send.
_EXAMPLE = {
    "image": ONE_PIXEL,
    "prompt": "Three red cats on a sofa",
    "checkpoints": ["There are exactly three cats"],
}
_MODES: Mapping[str, Callable[[JudgeService, JudgeRequest, Caller], Judged]] = {
    SCORE: JudgeService.score,
    COMPARE: JudgeService.compare,
    RANK: JudgeService.rank,
}


@blueprint.post("/score-image")
@blueprint.doc(operationId="scoreImage")
@blueprint.arguments(ScoreImageRequestSchema(), example=_EXAMPLE)
@blueprint.response(
    200,
    {"anyOf": [VerdictSchema(), ComparisonSchema(), RankingSchema()]},
    description="The verdict; with `mode` `compare` the better one, with `rank` the order.",
)
@blueprint.errors(*JUDGE_ERRORS, examples=JUDGE_EXAMPLES)
@idempotent
def score_image(order: JudgeOrder) -> Response:
    """Score a picture, compare two, or rank up to eight."""
    judge, asking = services().judge, caller()
    judge.check(order.request.model, asking.key, is_pairwise=order.mode != SCORE)
    result = _MODES[order.mode](judge, with_pictures(order, judge), asking)
    state: RequestState = g.request_state
    state.report = result.report
    latency_ms = round((time.perf_counter() - state.started_at) * 1_000)
    document = judged(result.answer, result.report, latency_ms, state.request_id)
    response = json_response(document)
    response.headers.update(report_headers(result.report))
    return response


def with_pictures(order: JudgeOrder, judge: JudgeService) -> JudgeRequest:
    """Return the order's request with its pictures, which are read; raises InvalidRequest."""
    named = [*order.images, *([order.reference] if order.reference else [])]
    pictures = list(judged_pictures(named, judge))
    reference = pictures.pop() if order.reference else None
    return replace(order.request, pictures=tuple(pictures), reference=reference)
