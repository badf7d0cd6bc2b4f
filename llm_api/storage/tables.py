"""The schema. A change here needs a migration in `migrations/versions/`; a test compares them."""

import sqlalchemy as sa

metadata = sa.MetaData()

# One row for every call that was about to reach an upstream. BIGINT: sums and counts outlive 2^31.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("request_id", sa.String(64), primary_key=True),
    sa.Column("created_at", sa.DateTime(), nullable=False, index=True, comment="UTC"),
    sa.Column("route", sa.String(64), nullable=False),
    sa.Column("model_asked", sa.String(256), nullable=True),
    sa.Column("model", sa.String(256), nullable=False),
    sa.Column("upstream", sa.String(64), nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("reason", sa.String(64), nullable=True),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger(), nullable=True),
    sa.Column("completion_tokens", sa.BigInteger(), nullable=True),
    sa.Column("usage_source", sa.String(16), nullable=False),
    sa.Column("upstream_ms", sa.BigInteger(), nullable=True),
    sa.Column("total_ms", sa.BigInteger(), nullable=True),
    sa.Column("tries", sa.JSON(), nullable=True, comment="Every attempt: where, and its end"),
)
