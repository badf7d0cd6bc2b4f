"""What keys have spent, and what is reserved for their calls in progress."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables."""
    options = table_options(op.get_bind())
    op.create_table(
        "budget_spending",
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True, comment="2026-11-23 or 2026-11, UTC"),
        sa.Column("unit", sa.String(8), primary_key=True),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_table(
        "budget_reservations",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("unit", sa.String(8), primary_key=True),
        sa.Column("key_id", sa.String(64), nullable=False, index=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, comment="UTC"),
        **options,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("budget_reservations")
    op.drop_table("budget_spending")
