"""Rules that blueprints state for their routes: public, for admins, rate limited."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask


@dataclass(frozen=True, slots=True)
class RouteRules:
    """Rules for the routes of a blueprint.

    `is_public`: never needs a key. `is_admin`: always needs the key of an admin. `needs_key`:
    always needs a key, and takes that of any caller. `is_rate_limited`: calls count against the
    caller's rate limit.
    """

    is_public: bool = False
    is_admin: bool = False
    is_rate_limited: bool = True
    needs_key: bool = False


DEFAULT = RouteRules()
PUBLIC = RouteRules(is_public=True)
# flask-smorest makes this blueprint itself; it serves the API document.
_FOREIGN = {"api-docs": PUBLIC}


class PublicBlueprint(Blueprint):
    """A public blueprint outside the API document, for probes and browsers."""

    def __init__(
        self, name: str, import_name: str, *, is_rate_limited: bool = True, **options: Any
    ) -> None:
        """Create a blueprint; `options` are those of `flask.Blueprint`."""
        super().__init__(name, import_name, **options)
        self.rules = RouteRules(is_public=True, is_rate_limited=is_rate_limited)


class AdminBlueprint(Blueprint):
    """A blueprint for admins outside the API document, for machines."""

    rules = RouteRules(is_admin=True, is_rate_limited=False)


def rules_of(app: Flask, blueprint: str | None) -> RouteRules:
    """Return the rules of a blueprint of `app`; None stands for routes and paths without one."""
    if blueprint is None:
        return DEFAULT
    rules: RouteRules | None = getattr(app.blueprints[blueprint], "rules", None)
    return rules or _FOREIGN.get(blueprint, DEFAULT)
