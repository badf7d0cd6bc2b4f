"""The routes of API keys, for admins."""

from dataclasses import replace
from typing import Any, cast

from flask import Response

from llm_api.domain.access import ApiKey
from llm_api.domain.audit import Actor
from llm_api.errors import InvalidRequest, NotFound
from llm_api.services.keys import formats
from llm_api.services.keys.service import IssuedKey
from llm_api.web.documented_errors import (
    AMBIGUOUS_KEY,
    BODY_ERRORS,
    KEYS_AWAY,
    NO_ADMIN,
    NO_SUCH_KEY,
)
from llm_api.web.request.context import acting_admin, services
from llm_api.web.response.answers import json_response
from llm_api.web.rest.key_schemas import (
    DeletedKeySchema,
    IssuedKeySchema,
    KeyChangeSchema,
    KeyListArgumentsSchema,
    KeyListSchema,
    KeyWithBudgetsSchema,
    NewKeySchema,
    RotationSchema,
)
from llm_api.web.rest.own_key import described_with_budgets
from llm_api.web.smorest import SECURITY, Blueprint

blueprint = Blueprint(
    "Keys",
    __name__,
    is_admin=True,
    url_prefix="/api/v1/keys",
    description="API keys, for an admin's key.",
)

_EXAMPLE = {"name": "shop", "expires": "90d", "limits": {"requests": "60/minute"}}

_WRONG_KEY = InvalidRequest.of_field("name", "must be a string.", reason="invalid_type")
_WRONG_NAME = InvalidRequest.of_field(
    "name", f"must be {formats.NAME.expected}.", reason="out_of_range"
)
_WRONG_ROTATION = InvalidRequest.of_field("overlap", "must be a string.", reason="invalid_type")
_NO_GROUP = InvalidRequest.of_field(
    "group", "must be the id or name of one of GET /api/v1/groups.", reason="group_not_found"
)
_ERRORS = (NO_ADMIN, NO_SUCH_KEY, KEYS_AWAY)


@blueprint.post("")
@blueprint.doc(operationId="createKey", security=SECURITY)
@blueprint.arguments(NewKeySchema(), example=_EXAMPLE)
@blueprint.response(201, IssuedKeySchema())
@blueprint.errors(*BODY_ERRORS, 503, examples=[_WRONG_KEY, *_ERRORS])
def create_key(properties: dict[str, Any]) -> Response:
    """Create a key; its secret is in this response only."""
    draft = ApiKey(**{"id": "", **with_group(properties)})
    return _issued(services().keys.issue(draft, _admin()), 201)


@blueprint.get("")
@blueprint.doc(operationId="listKeys", security=SECURITY)
@blueprint.arguments(KeyListArgumentsSchema(), location="query")
@blueprint.response(200, KeyListSchema())
@blueprint.errors(400, 503, examples=[_WRONG_NAME, *_ERRORS])
def list_keys(name: str | None) -> Response:
    """List all keys, or those of a name; the newest first."""
    keys = services().keys
    return json_response({"keys": [keys.to_dict(key) for key in keys.all(name)]})


@blueprint.get("/<key_id>")
@blueprint.doc(operationId="getKey", security=SECURITY)
@blueprint.response(200, KeyWithBudgetsSchema())
@blueprint.errors(400, 404, 503, examples=[AMBIGUOUS_KEY, *_ERRORS])
def show_key(key_id: str) -> Response:
    """Return a key, with what is spent and left of its budgets, by its id or by its name.

    Here and below a name does for the id, if no other key has it.
    """
    return _response(services().keys.find(key_id))


@blueprint.patch("/<key_id>")
@blueprint.doc(operationId="changeKey", security=SECURITY)
@blueprint.arguments(KeyChangeSchema(), example={"limits": {"requests": "120/minute"}})
@blueprint.response(200, KeyWithBudgetsSchema())
@blueprint.errors(*BODY_ERRORS, 404, 503, examples=[_WRONG_KEY, AMBIGUOUS_KEY, *_ERRORS])
def change_key(properties: dict[str, Any], key_id: str) -> Response:
    """Change properties of a key, in every worker within a minute."""
    found = with_group(properties)
    changed = services().keys.change(key_id, lambda key: replace(key, **found), _admin())
    return _response(changed)


@blueprint.delete("/<key_id>")
@blueprint.doc(operationId="deleteKey", security=SECURITY)
@blueprint.response(200, DeletedKeySchema())
@blueprint.errors(400, 404, 503, examples=[AMBIGUOUS_KEY, *_ERRORS])
def delete_key(key_id: str) -> Response:
    """Delete a key, in every worker within a minute; its usage and its name in reports stay."""
    key = services().keys.delete(key_id, _admin())
    return json_response({"id": key.id, "name": key.name, "deleted": True})


@blueprint.post("/<key_id>/rotate")
@blueprint.doc(operationId="rotateKey", security=SECURITY)
@blueprint.arguments(RotationSchema(), example={"overlap": "24h"})
@blueprint.response(200, IssuedKeySchema())
@blueprint.errors(*BODY_ERRORS, 404, 503, examples=[_WRONG_ROTATION, AMBIGUOUS_KEY, *_ERRORS])
def rotate_key(options: dict[str, Any], key_id: str) -> Response:
    """Issue another secret for a key; the former one stays valid for the overlap."""
    return _issued(services().keys.rotate(key_id, _admin(), **options))


@blueprint.post("/<key_id>/disable")
@blueprint.doc(operationId="disableKey", security=SECURITY)
@blueprint.response(200, KeyWithBudgetsSchema())
@blueprint.errors(400, 404, 503, examples=[AMBIGUOUS_KEY, *_ERRORS])
def disable_key(key_id: str) -> Response:
    """Disable a key, in every worker within a minute."""
    return _response(services().keys.disable(key_id, _admin()))


@blueprint.post("/<key_id>/enable")
@blueprint.doc(operationId="enableKey", security=SECURITY)
@blueprint.response(200, KeyWithBudgetsSchema())
@blueprint.errors(400, 404, 503, examples=[AMBIGUOUS_KEY, *_ERRORS])
def enable_key(key_id: str) -> Response:
    """Enable a key that was disabled, in every worker within a minute."""
    return _response(services().keys.enable(key_id, _admin()))


def with_group(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties of a key with the group that they name; raises InvalidRequest."""
    named = properties.get("group")
    if named is None:
        return properties
    try:
        return {**properties, "group": services().groups.find(named)}
    except NotFound as error:
        raise _NO_GROUP from error


def _admin() -> Actor:
    """Return who acts: nobody but an admin gets as far as a view of these."""
    return cast("Actor", acting_admin())


def _response(key: ApiKey) -> Response:
    return json_response(described_with_budgets(key))


def _issued(issued: IssuedKey, status: int = 200) -> Response:
    document = services().keys.to_dict(issued.key)
    document["secret"] = issued.secret
    if issued.warnings:
        document["warnings"] = issued.warnings
    response = json_response(document, status)
    response.headers["Cache-Control"] = "no-store"
    return response
