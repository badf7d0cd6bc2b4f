"""Acts of administrators; and keys that were deleted, whose names reports still need."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the table, and add the column; no key was deleted so far."""
    op.create_table(
        "audit",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            comment="In the order of the acts",
        ),
        sa.Column("at", _MOMENT, nullable=False, index=True, comment="UTC"),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False, comment="Id of a key, or cli:USER"),
        sa.Column("actor_name", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("subject_name", sa.String(64), nullable=True),
        sa.Column("state_before", sa.JSON(), nullable=True),
        sa.Column("state_after", sa.JSON(), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("address", sa.String(64), nullable=True, comment="Of the client"),
        **table_options(op.get_bind()),
    )
    op.add_column(
        "api_keys",
        sa.Column("deleted_at", _MOMENT, nullable=True, comment="Reports still need its name"),
    )


def downgrade() -> None:
    """Remove both; a key that was deleted is then disabled, and has no secret."""
    op.drop_column("api_keys", "deleted_at")
    op.drop_table("audit")
