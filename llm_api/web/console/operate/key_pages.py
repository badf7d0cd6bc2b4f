"""Pages of API keys: what they may do and have left, and all that an admin does with them."""

from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response, request

from llm_api.domain.access import NO_LIMITS, ApiKey
from llm_api.errors import ApiError, InvalidRequest
from llm_api.services.keys.service import IssuedKey
from llm_api.web.console.field_problems import Problems, problems_of
from llm_api.web.console.operate import key_forms
from llm_api.web.console.operate.admin_views import admin, blueprint, for_admins, going_to, shown
from llm_api.web.request.context import services
from llm_api.web.rest.key_schemas import KeyChangeSchema, NewKeySchema, RotationSchema
from llm_api.web.rest.keys import with_group
from llm_api.web.rest.own_key import described_with_budgets

CONFIRMED = "yes"


@blueprint.get("/keys")
@for_admins
def keys() -> Response:
    """List all keys, or those whose name or id has a text in it."""
    known = services().keys
    wanted = request.args.get("name", "").strip()
    found = [
        key for key in known.all() if wanted.casefold() in key.name.casefold() or wanted == key.id
    ]
    return shown("keys", keys=[known.to_dict(key) for key in found], wanted=wanted)


@blueprint.get("/limits")
@for_admins
def limits() -> Response:
    """Show the limits and budgets of keys and groups, with what is left."""
    known = services()
    held = [key for key in known.keys.all() if key.budgets or key.limits != NO_LIMITS]
    return shown(
        "limits",
        keys=[_described(replace(key, group=None)) for key in held],
        groups=[
            (
                group,
                [state.to_dict() for state in known.budgets.of_group(group)],
                known.limits.of_group(group),
            )
            for group in known.groups.all()
        ],
    )


@blueprint.get("/keys/new")
@for_admins
def new_key() -> Response:
    """Show the form of a new key."""
    return _form(None, {}, [])


@blueprint.post("/keys/new")
@for_admins
def create_key() -> Response:
    """Create a key, and show its secret, this once."""
    document = key_forms.key_document(None)
    try:
        draft = ApiKey(**{"id": "", **with_group(NewKeySchema().load(document))})
        issued = services().keys.issue(draft, admin())
    except (ma.ValidationError, InvalidRequest) as error:
        return _form(None, document, problems_of(error))
    return _secret(issued)


@blueprint.get("/keys/<key_id>")
@for_admins
def key(key_id: str) -> Response:
    """Show a key, with forms for all that can be done with it."""
    described = _described(services().keys.get(key_id))
    return _form(described, described, [])


@blueprint.post("/keys/<key_id>")
@for_admins
def change_key(key_id: str) -> Response:
    """Change the properties of a key."""
    described = _described(services().keys.get(key_id))
    document = key_forms.key_document(described)
    try:
        found = with_group(KeyChangeSchema().load(document))
    except (ma.ValidationError, InvalidRequest) as error:
        return _form(described, document, problems_of(error))
    services().keys.change(key_id, lambda one: replace(one, **found), admin())
    return going_to(f"keys/{key_id}?done=changed")


@blueprint.post("/keys/<key_id>/rotate")
@for_admins
def rotate_key(key_id: str) -> Response:
    """Issue another secret, and show it, this once."""
    overlap = request.form.get("overlap", "").strip()
    try:
        options = RotationSchema().load({"overlap": overlap} if overlap else {})
    except ma.ValidationError as error:
        described = _described(services().keys.get(key_id))
        return _form(described, described, problems_of(error))
    return _secret(services().keys.rotate(key_id, admin(), **options))


@blueprint.post("/keys/<key_id>/disable")
@for_admins
def disable_key(key_id: str) -> Response:
    """Disable a key."""
    services().keys.disable(key_id, admin())
    return going_to(f"keys/{key_id}?done=disabled")


@blueprint.post("/keys/<key_id>/enable")
@for_admins
def enable_key(key_id: str) -> Response:
    """Enable a key that was disabled."""
    services().keys.enable(key_id, admin())
    return going_to(f"keys/{key_id}?done=enabled")


@blueprint.post("/keys/<key_id>/delete")
@for_admins
def delete_key(key_id: str) -> Response:
    """Delete a key, where the box beside the button says that it is meant."""
    check_confirmed()
    services().keys.delete(key_id, admin())
    return going_to("keys?done=deleted")


def check_confirmed() -> None:
    """Raise InvalidRequest where the box of a form was not ticked."""
    if request.form.get("confirmed") != CONFIRMED:
        message = "Nothing was deleted: tick the box that says that it is meant."
        raise InvalidRequest(message, reason="not_confirmed")


def _described(key: ApiKey) -> dict[str, Any]:
    """Return a key as the API does, and what is left of its limits."""
    return described_with_budgets(key) | {"limits_left": services().limits.of_key(key)}


def _form(described: dict[str, Any] | None, values: dict[str, Any], problems: Problems) -> Response:
    try:
        groups = services().groups.all()
    except ApiError:
        groups = []
    return shown(
        "key",
        status=400 if problems else 200,
        key=described,
        values=values,
        problems=problems,
        groups=groups,
        limit_names=key_forms.LIMITS,
    )


def _secret(issued: IssuedKey) -> Response:
    return shown("secret", key=issued.key, secret=issued.secret, warnings=issued.warnings)
