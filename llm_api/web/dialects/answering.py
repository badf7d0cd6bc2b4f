"""Sends the request of any dialect to the models."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import current_app, g

from llm_api.domain.calls import CallResult, Completion
from llm_api.errors import InvalidRequest
from llm_api.services.chat import AnswerStream
from llm_api.services.field_names import in_own_words, own_names
from llm_api.web.openai.schemas import OpenAIRequest
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import header_safe
from llm_api.web.schema_fields import UNKNOWN

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=OpenAIRequest)
STRICT_SETTING = "REFUSE_UNKNOWN_PARAMETERS"


def refuses_unknown(view: Callable[Concatenate[R, P], T]) -> Callable[..., T]:
    """Decorate a view: unknown fields are an error if `REFUSE_UNKNOWN_PARAMETERS` is set.

    A field is known if any vendor takes it.
    """

    @wraps(view)
    def check(body: R, *args: P.args, **kwargs: P.kwargs) -> T:
        if (body.untyped or body.dropped) and current_app.config[STRICT_SETTING]:
            known = services().known_parameters
            unknown = [*(name for name in body.untyped if name not in known), *body.dropped]
            if unknown:
                name = header_safe(unknown[0])
                raise InvalidRequest.of_field(name, UNKNOWN, reason="unknown_field")
        return view(body, *args, **kwargs)

    return check


def answer(body: OpenAIRequest) -> CallResult[Completion | AnswerStream]:
    """Call the model; fields of other routes are reported like those the upstream dropped.

    Errors and reports name fields as the caller wrote them.
    """
    chat, names = services().chat, body.FIELD_NAMES
    result: CallResult[Any]
    try:
        if body.is_streamed:
            g.request_state.is_streamed = True
            result = chat.stream(body.model_request, caller(), shows_usage=body.shows_usage)
        else:
            result = chat.complete(body.model_request, caller())
    except InvalidRequest as error:
        if not names:
            raise
        raise in_own_words(error, names) from error
    left_out = result.report.dropped
    if not body.dropped and not (names and left_out):
        return result
    dropped = (*body.dropped, *own_names(left_out, names))
    return replace(result, report=replace(result.report, dropped=dropped))
