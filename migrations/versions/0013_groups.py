"""Groups that keys join, and which group's call a usage row is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llm_api.storage.sql.mysql import table_options

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_ROLLUPS = ("usage_hourly", "usage_daily")
_HELD = "budget_reservations"
# A call reserves of its key's budgets, and of those of the key's group.
_FORMER_KEY = ("request_id", "period", "unit")
_KEY = (*_FORMER_KEY, "key_id")


def upgrade() -> None:
    """Create the table, and add columns: no call so far was one of a group's."""
    op.create_table(
        "key_groups",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", _MOMENT, nullable=False, comment="UTC"),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("budgets", sa.JSON(), nullable=False),
        **table_options(op.get_bind()),
    )
    op.add_column("api_keys", sa.Column("group_id", sa.String(32), nullable=True))
    op.create_index("ix_api_keys_group_id", "api_keys", ["group_id"])
    op.add_column(
        "usage",
        sa.Column("group_id", sa.String(64), nullable=True, comment="That of its key at that time"),
    )
    for name in _ROLLUPS:
        op.add_column(name, sa.Column("group_id", sa.String(64), nullable=False, server_default=""))
    _identify_reservations_by(_KEY)


def downgrade() -> None:
    """Remove them; sums of groups stay those of their keys."""
    held = sa.table(_HELD, sa.column("key_id"))
    op.execute(sa.delete(held).where(held.c.key_id.startswith("group_", autoescape=True)))
    _identify_reservations_by(_FORMER_KEY)
    for name in reversed(_ROLLUPS):
        op.drop_column(name, "group_id")
    op.drop_column("usage", "group_id")
    op.drop_index("ix_api_keys_group_id", "api_keys")
    op.drop_column("api_keys", "group_id")
    op.drop_table("key_groups")


def _identify_reservations_by(columns: tuple[str, ...]) -> None:
    """Make columns the primary key of reservations; their rows stay."""
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.drop_constraint(f"{_HELD}_pkey", _HELD)
        op.create_primary_key(f"{_HELD}_pkey", _HELD, list(columns))
    elif dialect == "sqlite":  # it cannot change a primary key
        _rebuild(columns)
    else:
        # One statement, which can be repeated: every statement is committed by itself.
        names = ", ".join(columns)
        op.execute(f"ALTER TABLE {_HELD} DROP PRIMARY KEY, ADD PRIMARY KEY ({names})")


def _rebuild(columns: tuple[str, ...]) -> None:
    former = f"{_HELD}_former"
    op.drop_index(f"ix_{_HELD}_key_id", _HELD)
    op.rename_table(_HELD, former)
    op.create_table(
        _HELD,
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("unit", sa.String(8), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint(*columns),
    )
    op.execute(f"INSERT INTO {_HELD} SELECT * FROM {former}")  # noqa: S608  # names of ours
    op.drop_table(former)
    op.create_index(f"ix_{_HELD}_key_id", _HELD, ["key_id"])
