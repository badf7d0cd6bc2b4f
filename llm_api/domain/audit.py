"""Acts of administrators: who has done what, on what, and what is different since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SCHEMA_UPGRADE = "schema.upgrade"
JOB_CANCEL, JOB_DELETE = "job.cancel", "job.delete"
FEEDBACK_GIVE = "feedback.give"
KEY_CREATE, KEY_EDIT, KEY_ROTATE = "key.create", "key.edit", "key.rotate"
GROUP_CREATE, GROUP_EDIT, GROUP_DELETE = "group.create", "group.edit", "group.delete"
KEY_DISABLE, KEY_ENABLE, KEY_DELETE = "key.disable", "key.enable", "key.delete"
ACTS = (
    FEEDBACK_GIVE,
    GROUP_CREATE,
    GROUP_DELETE,
    GROUP_EDIT,
    JOB_CANCEL,
    JOB_DELETE,
    KEY_CREATE,
    KEY_DELETE,
    KEY_DISABLE,
    KEY_EDIT,
    KEY_ENABLE,
    KEY_ROTATE,
    SCHEMA_UPGRADE,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts by an admin's right.

    Attributes:
        id: of the key, such as `env:admin`; or `cli:` and the name of the operating system's user.
        name: of the key, or of the user.
        request_id: of the request; None on the command line.
        address: of the client; None where there is none.
    """

    id: str
    name: str
    request_id: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class AdminAct:
    """An act, without secrets.

    Attributes:
        at: timezone-aware.
        act: one of ACTS.
        subject: the id of what was acted on.
        subject_name: its name at that time; None where it has none.
        before, after: properties in the form of the API; of a change those that differ. None:
            there was nothing before, or nothing is left.
        number: the store's own, which grows; None until it is stored.
    """

    at: datetime
    actor: Actor
    act: str
    subject: str
    subject_name: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which acts are wanted, the latest first.

    Attributes:
        since, until: from, and before; timezone-aware. None: no bound.
        act: one of ACTS; None: any.
        subject, actor: an id or a name; None: any.
        behind: a number; acts are older than its act. None: from the latest on.
        at_most: how many are wanted.
    """

    since: datetime | None = None
    until: datetime | None = None
    act: str | None = None
    subject: str | None = None
    actor: str | None = None
    behind: int | None = None
    at_most: int = 100


def changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return of two states of the same thing the properties that differ, before and after."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
