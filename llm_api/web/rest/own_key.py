"""The route by which a caller learns about its own key."""

from typing import Any, cast

from flask import Response, g

from llm_api.domain.access import ApiKey
from llm_api.services.keys.authenticator import KEYS_UNREADABLE
from llm_api.web.blueprints import RouteRules
from llm_api.web.request.context import services
from llm_api.web.response.answers import json_response
from llm_api.web.rest.key_schemas import KeyWithBudgetsSchema
from llm_api.web.smorest import SECURITY, Blueprint

blueprint = Blueprint(
    "Own key",
    __name__,
    url_prefix="/api/v1/key",
    description="What a caller may know of its own key.",
)
blueprint.rules = RouteRules(needs_key=True)


def described_with_budgets(key: ApiKey) -> dict[str, Any]:
    """Return a key as JSON, with what is spent and left of its budgets; raises Unavailable."""
    states = [state.to_dict() for state in services().budgets.of_key(key)]
    return services().keys.to_dict(key) | {"budget_states": states}


@blueprint.get("")
@blueprint.doc(operationId="getOwnKey", security=SECURITY)
@blueprint.response(200, KeyWithBudgetsSchema())
@blueprint.errors(503, examples=[KEYS_UNREADABLE], never=[403])
def show_own_key() -> Response:
    """Return the key of the request, with what is spent and left of its budgets.

    Any key may ask, whatever routes it is for.
    """
    # The access control has refused who has none.
    return json_response(described_with_budgets(cast("ApiKey", g.request_state.key)))
