"""Reports know reasons and how long calls took: another dimension of sums, and a table of times."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_SUMS = ("usage_hourly", "usage_daily")
_TIMES = "usage_times"


def upgrade() -> None:
    """Add them empty: calls so far are in no times, and their sums have no reason.

    The rows of calls are not read for it: those that a running release writes meanwhile would be
    missed, and reports say of how many calls they know the time.
    """
    for name in _SUMS:
        op.add_column(name, sa.Column("reason", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        _TIMES,
        sa.Column("span", sa.String(4), primary_key=True, comment="hour or day"),
        sa.Column("starts_at", _MOMENT, primary_key=True, comment="UTC"),
        sa.Column(
            "dimensions", sa.String(32), primary_key=True, comment="Of the row of sums beside it"
        ),
        sa.Column("time", sa.String(16), primary_key=True, comment="Which: a column of usage"),
        sa.Column("first_bucket", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(f"bucket_{at}", sa.Integer(), nullable=False) for at in range(16)),
        **table_options(op.get_bind()),
    )


def downgrade() -> None:
    """Remove them; sums of calls with a reason stay."""
    op.drop_table(_TIMES)
    for name in reversed(_SUMS):
        op.drop_column(name, "reason")
