"""The page of usage: reports as figures and tables. What it shows is what the API answers."""

import marshmallow as ma
from flask import Response, g, make_response, request

from llm_api.errors import ApiError
from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.console import (
    figures,
    operate_words,
    rendering,
    sign_in,
    usage_arguments,
    usage_view,
)
from llm_api.web.console.field_problems import Problems, problems_of
from llm_api.web.request.context import RequestState, services
from llm_api.web.response.error_formats import error_headers
from llm_api.web.response.errors import note_error

blueprint = PublicBlueprint("console_usage", __name__)


@blueprint.get("/console/usage")
def usage() -> Response:
    """Show a view, or say what is wrong with its address."""
    if (asked := sign_in.ask_to_sign_in(is_for_admins=False)) is not None:
        return asked
    session = rendering.session_of_request()
    state: RequestState = g.request_state
    state.key = None if session is None else session.key
    problems: Problems = []
    failure: ApiError | None = None
    page, status, headers = None, 200, dict[str, str]()
    try:
        view = usage_arguments.UsageViewSchema().load(request.args.to_dict())
        page = usage_view.usage_page(services().reports, view)
    except ma.ValidationError as error:
        problems = problems_of(error)
        view, status = usage_arguments.default_view(), 400
    except ApiError as error:
        note_error(error)
        failure, status = error, error.status
        headers = error_headers(error, request.path)
    response = rendering.render(
        "usage.html",
        "usage",
        page=page,
        view=view,
        problems=problems,
        failure=failure,
        words=operate_words.words_of(rendering.language_of_request()),
        choices={
            "days": usage_arguments.DAYS,
            "by": usage_arguments.BY,
            "show": figures.SHOWN,
        },
    )
    return make_response(response, status, headers)
