"""What has happened in lineages: rewrites, pictures, verdicts, feedback."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "lineage_events",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("lineage_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=True),
        sa.Column("at", _MOMENT, nullable=False, index=True, comment="UTC"),
        sa.Column("job_id", sa.String(64), nullable=True, index=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=True),
        sa.Column("has_texts", sa.Boolean(), nullable=False),
        sa.Index("ix_lineage_events_lineage", "lineage_id", "at"),
        sa.Index("ix_lineage_events_texts", "has_texts", "at"),
        **table_options(op.get_bind()),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("lineage_events")
