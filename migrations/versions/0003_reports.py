"""What a call cost and where its time went, and sums of calls by hour and day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options
from llm_api.storage.sql.mysql_migrations import lock_out_writers
from llm_api.storage.sql.rollups import add_to_rollups

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_ROLLUPS = ("usage_hourly", "usage_daily")
_SUMS = (
    "calls",
    "attempts",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "images",
    "cost_micro",
    "total_ms",
)
_ROWS_AT_ONCE = 5_000


def _new_columns() -> list[sa.Column]:
    return [
        sa.Column("key_id", sa.String(64), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("images", sa.BigInteger(), nullable=True),
        sa.Column("first_token_ms", sa.BigInteger(), nullable=True),
        sa.Column("own_ms", sa.BigInteger(), nullable=True),
        sa.Column(
            "cost_micro", sa.BigInteger(), nullable=True, comment="Millionths of the currency"
        ),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("tags", sa.String(512), nullable=False, server_default=""),
        sa.Column("lineage_id", sa.String(64), nullable=True),
    ]


def upgrade() -> None:
    """Add columns and tables, and sum up the calls that are there."""
    for column in _new_columns():
        op.add_column("usage", column)
    for name in _ROLLUPS:
        op.create_table(
            name,
            sa.Column("starts_at", _MOMENT, primary_key=True, comment="UTC"),
            sa.Column(
                "dimensions", sa.String(32), primary_key=True, comment="Digest of the next eight"
            ),
            sa.Column("key_id", sa.String(64), nullable=False),
            sa.Column("route", sa.String(64), nullable=False),
            sa.Column("model", sa.String(256), nullable=False),
            sa.Column("upstream", sa.String(64), nullable=False),
            sa.Column("status", sa.String(32), nullable=False),
            sa.Column("usage_source", sa.String(16), nullable=False),
            sa.Column("currency", sa.String(3), nullable=False),
            sa.Column("tags", sa.String(512), nullable=False),
            *(sa.Column(total, sa.BigInteger(), nullable=False) for total in _SUMS),
            **table_options(op.get_bind()),
        )
    _sum_up()


def _sum_up() -> None:
    """Fill the sums from the calls, in batches that fit into memory.

    By the current code: whoever changes the sums must give this migration a copy of its own.
    """
    connection = op.get_bind()
    usage = sa.Table("usage", sa.MetaData(), autoload_with=connection)
    if connection.dialect.name == "mysql":
        # Tables are visible as soon as they are created, and a running service fills them.
        lock_out_writers(connection, "usage", *_ROLLUPS)
        for name in _ROLLUPS:
            connection.execute(sa.delete(sa.table(name)))
    last = ""
    while True:
        piece = (
            sa.select(usage)
            .where(usage.c.request_id > last)
            .order_by(usage.c.request_id)
            .limit(_ROWS_AT_ONCE)
        )
        rows = connection.execute(piece).mappings().all()
        if not rows:
            return
        add_to_rollups(connection, rows)
        last = rows[-1]["request_id"]


def downgrade() -> None:
    """Drop columns and tables; the calls themselves stay."""
    op.drop_table("usage_daily")
    op.drop_table("usage_hourly")
    for column in reversed(_new_columns()):
        op.drop_column("usage", column.name)
