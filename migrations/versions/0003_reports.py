"""What a call cost and where its time went, and sums of calls by hour and day."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options
from llm_api.storage.sql.mysql_migrations import lock_out_writers
from llm_api.storage.sql.writing import insert_rows

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_HOUR = {"minute": 0, "second": 0, "microsecond": 0}
_DAY = {"hour": 0, **_HOUR}
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
_DIMENSIONS = (
    "key_id",
    "route",
    "model",
    "upstream",
    "status",
    "usage_source",
    "currency",
    "tags",
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
    """Fill the sums from the calls, in batches that fit into memory."""
    connection = op.get_bind()
    usage, hourly, daily = (
        sa.Table(name, sa.MetaData(), autoload_with=connection) for name in ("usage", *_ROLLUPS)
    )
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
        insert_rows(connection, hourly, _summed(rows, _HOUR), sums=_SUMS)
        insert_rows(connection, daily, _summed(rows, _DAY), sums=_SUMS)
        last = rows[-1]["request_id"]


def _summed(rows: Sequence[Mapping[str, Any]], start: Mapping[str, int]) -> list[dict[str, Any]]:
    """Sum up calls as the release of this schema did; later ones sum up more."""
    groups: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in rows:
        values = tuple(row[name] or "" for name in _DIMENSIONS)
        group = groups[row["created_at"].replace(**start), values]
        group["calls"] += 1
        group.update({name: row[name] or 0 for name in _SUMS[1:]})
    return [
        {
            "starts_at": starts_at,
            "dimensions": blake2b("\0".join(values).encode(), digest_size=16).hexdigest(),
            **dict(zip(_DIMENSIONS, values, strict=True)),
            **{name: group[name] for name in _SUMS},
        }
        for (starts_at, values), group in sorted(groups.items(), key=itemgetter(0))
    ]


def downgrade() -> None:
    """Drop columns and tables; the calls themselves stay."""
    op.drop_table("usage_daily")
    op.drop_table("usage_hourly")
    for column in reversed(_new_columns()):
        op.drop_column("usage", column.name)
