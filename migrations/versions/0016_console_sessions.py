"""Browsers sign in at the console with a key, which they do not keep."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(64), nullable=False, index=True),
        sa.Column(
            "secret_proof", sa.String(64), nullable=True, comment="Of keys of the environment"
        ),
        sa.Column(
            "ends_at", _MOMENT, nullable=False, index=True, comment="UTC; later with each use"
        ),
        sa.Column("latest_end", _MOMENT, nullable=False, comment="However much it is used"),
        **table_options(op.get_bind()),
    )


def downgrade() -> None:
    """Drop it: whoever was signed in signs in again."""
    op.drop_table("console_sessions")
