"""Usage rows are found by what the response called the request, where that is no id of theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_IS_SET = sa.text("shown_id IS NOT NULL")


def upgrade() -> None:
    """Add the column; rows that are there have none."""
    op.add_column(
        "usage",
        sa.Column(
            "shown_id",
            sa.String(128),
            nullable=True,
            comment="What the response called the request, where that is another id",
        ),
    )
    # Few rows have one, and an index of the others would be written with every call.
    op.create_index(
        "ix_usage_shown_id",
        "usage",
        ["shown_id"],
        postgresql_where=_IS_SET,
        sqlite_where=_IS_SET,
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_usage_shown_id", table_name="usage")
    op.drop_column("usage", "shown_id")
