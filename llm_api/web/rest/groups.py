"""The routes of groups of API keys, for admins."""

from dataclasses import replace
from typing import Any, cast

from flask import Response

from llm_api.domain.access import KeyGroup
from llm_api.domain.audit import Actor
from llm_api.errors import InvalidRequest, NotFound
from llm_api.services.keys.group_service import in_use, to_dict
from llm_api.web.documented_errors import BODY_ERRORS, KEYS_AWAY, NO_ADMIN
from llm_api.web.request.context import acting_admin, services
from llm_api.web.response.answers import json_response
from llm_api.web.rest.group_schemas import (
    DeletedGroupSchema,
    GroupChangeSchema,
    GroupListSchema,
    GroupStateSchema,
    NewGroupSchema,
)
from llm_api.web.smorest import SECURITY, Blueprint

blueprint = Blueprint(
    "Groups",
    __name__,
    is_admin=True,
    url_prefix="/api/v1/groups",
    description="Groups of API keys that share limits and budgets, for an admin's key.",
)

_WRONG = InvalidRequest.of_field(
    "name", "must be a name that no other group has.", reason="group_exists"
)
_NO_SUCH = NotFound("There is no group with this id or name.", reason="group_not_found")
_IN_USE = in_use(["key_5f0c2b9e7a4d41d6"])
_ERRORS = (NO_ADMIN, _NO_SUCH, KEYS_AWAY)


@blueprint.post("")
@blueprint.doc(operationId="createGroup", security=SECURITY)
@blueprint.arguments(NewGroupSchema(), example={"name": "video", "budgets": ["200 CNY/month"]})
@blueprint.response(201, GroupStateSchema())
@blueprint.errors(*BODY_ERRORS, 503, examples=[_WRONG, *_ERRORS])
def create_group(properties: dict[str, Any]) -> Response:
    """Create a group."""
    return _response(services().groups.create(KeyGroup("", **properties), _admin()), 201)


@blueprint.get("")
@blueprint.doc(operationId="listGroups", security=SECURITY)
@blueprint.response(200, GroupListSchema())
@blueprint.errors(503, examples=[*_ERRORS])
def list_groups() -> Response:
    """List all groups, by their names."""
    return json_response({"groups": [to_dict(group) for group in services().groups.all()]})


@blueprint.get("/<group_id>")
@blueprint.doc(operationId="getGroup", security=SECURITY)
@blueprint.response(200, GroupStateSchema())
@blueprint.errors(404, 503, examples=[*_ERRORS])
def show_group(group_id: str) -> Response:
    """Return a group, here and below by its id or its name, with its keys and budgets."""
    return _response(services().groups.find(group_id))


@blueprint.patch("/<group_id>")
@blueprint.doc(operationId="changeGroup", security=SECURITY)
@blueprint.arguments(GroupChangeSchema(), example={"budgets": ["300 CNY/month"]})
@blueprint.response(200, GroupStateSchema())
@blueprint.errors(*BODY_ERRORS, 404, 503, examples=[_WRONG, *_ERRORS])
def change_group(properties: dict[str, Any], group_id: str) -> Response:
    """Change properties of a group, for its keys in every worker within a minute."""
    groups = services().groups
    changed = groups.change(group_id, lambda group: replace(group, **properties), _admin())
    return _response(changed)


@blueprint.delete("/<group_id>")
@blueprint.doc(operationId="deleteGroup", security=SECURITY)
@blueprint.response(200, DeletedGroupSchema())
@blueprint.errors(400, 404, 503, examples=[_IN_USE, *_ERRORS])
def delete_group(group_id: str) -> Response:
    """Delete a group without keys; its usage stays in reports."""
    group = services().groups.delete(group_id, _admin())
    return json_response({"id": group.id, "name": group.name, "deleted": True})


def _admin() -> Actor:
    """Return who acts: nobody but an admin gets as far as a view of these."""
    return cast("Actor", acting_admin())


def _response(group: KeyGroup, status: int = 200) -> Response:
    states = [state.to_dict() for state in services().budgets.of_group(group)]
    keys = services().groups.key_ids(group)
    return json_response({**to_dict(group), "keys": keys, "budget_states": states}, status)
