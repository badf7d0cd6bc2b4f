"""Pages of the groups that keys join."""

from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response

from llm_api.domain.access import KeyGroup
from llm_api.errors import InvalidRequest
from llm_api.services.keys.group_service import to_dict
from llm_api.web.console.field_problems import Problems, problems_of
from llm_api.web.console.operate import key_forms
from llm_api.web.console.operate.admin_views import admin, blueprint, for_admins, going_to, shown
from llm_api.web.console.operate.key_pages import check_confirmed
from llm_api.web.request.context import services
from llm_api.web.rest.group_schemas import GroupChangeSchema, NewGroupSchema


@blueprint.get("/groups")
@for_admins
def groups() -> Response:
    """List all groups, and show the form of a new one."""
    return _list({}, [])


@blueprint.post("/groups")
@for_admins
def create_group() -> Response:
    """Create a group."""
    document = key_forms.group_document()
    try:
        draft = KeyGroup("", **NewGroupSchema().load(document))
        group = services().groups.create(draft, admin())
    except (ma.ValidationError, InvalidRequest) as error:
        return _list(document, problems_of(error))
    return going_to(f"groups/{group.id}?done=created")


@blueprint.get("/groups/<group_id>")
@for_admins
def group(group_id: str) -> Response:
    """Show a group, its keys and what is left of its budgets."""
    found = services().groups.find(group_id)
    return _form(found, to_dict(found), [])


@blueprint.post("/groups/<group_id>")
@for_admins
def change_group(group_id: str) -> Response:
    """Change the properties of a group."""
    document, known = key_forms.group_document(), services().groups
    try:
        found = GroupChangeSchema().load(document)
        known.change(group_id, lambda one: replace(one, **found), admin())
    except (ma.ValidationError, InvalidRequest) as error:
        return _form(known.find(group_id), document, problems_of(error))
    return going_to(f"groups/{group_id}?done=changed")


@blueprint.post("/groups/<group_id>/delete")
@for_admins
def delete_group(group_id: str) -> Response:
    """Delete a group without keys, where the box beside the button says that it is meant."""
    check_confirmed()
    services().groups.delete(group_id, admin())
    return going_to("groups?done=deleted")


def _list(values: dict[str, Any], problems: Problems) -> Response:
    return shown(
        "groups",
        status=400 if problems else 200,
        groups=[to_dict(one) for one in services().groups.all()],
        values=values,
        problems=problems,
        limit_names=key_forms.LIMITS,
    )


def _form(found: KeyGroup, values: dict[str, Any], problems: Problems) -> Response:
    known = services()
    return shown(
        "group",
        status=400 if problems else 200,
        group=to_dict(found),
        values=values,
        problems=problems,
        keys=known.groups.key_ids(found),
        names=known.keys.names(),
        budget_states=[state.to_dict() for state in known.budgets.of_group(found)],
        left=known.limits.of_group(found),
        limit_names=key_forms.LIMITS,
    )
