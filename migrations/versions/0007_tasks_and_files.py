"""Tasks that outlive their request, and the files that they keep."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables."""
    options = table_options(op.get_bind())
    op.create_table("tasks", *_task_columns(), *_task_indexes(), **options)
    op.create_table("files", *_file_columns(), **options)


def _task_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("has_ended", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, comment="UTC, as are all moments"),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("deadline_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("key_id", sa.String(64), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("lineage_id", sa.String(64), nullable=True),
        sa.Column("claimed_by", sa.String(64), nullable=False, comment="Empty for none"),
        sa.Column("claimed_until", _MOMENT, nullable=True),
        sa.Column("wants_cancel", sa.Boolean(), nullable=False),
    ]


def _task_indexes() -> list[sa.Index]:
    return [
        sa.Index("ix_tasks_due", "has_ended", "due_at"),
        sa.Index("ix_tasks_expiring", "has_ended", "expires_at"),
    ]


def _file_columns() -> list[sa.Column]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # its BIGINT does not count up
    return [
        sa.Column("number", number, primary_key=True, comment="In the order of their addition"),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("task_id", sa.String(64), nullable=False, index=True),
        sa.Column("key_id", sa.String(64), nullable=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, comment="UTC, as are all moments"),
        sa.Column("expires_at", _MOMENT, nullable=False, index=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("is_input", sa.Boolean(), nullable=False),
    ]


def downgrade() -> None:
    """Drop them."""
    op.drop_table("files")
    op.drop_table("tasks")
