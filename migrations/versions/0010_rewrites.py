"""Rewrites of prompts, which answer the same request again, and who makes them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "rewrites",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, comment="UTC, as are all moments"),
        sa.Column("expires_at", _MOMENT, nullable=True, index=True, comment="NULL: it was pinned"),
        sa.Index("ix_rewrites_request", "request", "created_at"),
        **table_options(op.get_bind()),
    )
    op.create_table(
        "rewrite_leases",
        sa.Column("request", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False, index=True, comment="UTC"),
        **table_options(op.get_bind()),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("rewrite_leases")
    op.drop_table("rewrites")
