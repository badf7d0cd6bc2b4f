"""Usage columns by the field's words: requested_model, attempts_detail, overhead_ms."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# MySQL repeats a column's whole definition to rename it.
_RENAMED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("model_asked", "requested_model", {"existing_type": sa.String(256)}),
    (
        "tries",
        "attempts_detail",
        {"existing_type": sa.JSON(), "existing_comment": "Every attempt: where, and its end"},
    ),
    ("own_ms", "overhead_ms", {"existing_type": sa.BigInteger()}),
)


def upgrade() -> None:
    """Rename the columns; values stay."""
    for former, name, definition in _RENAMED:
        op.alter_column("usage", former, new_column_name=name, existing_nullable=True, **definition)


def downgrade() -> None:
    """Give the columns their former names."""
    for former, name, definition in reversed(_RENAMED):
        op.alter_column("usage", name, new_column_name=former, existing_nullable=True, **definition)
