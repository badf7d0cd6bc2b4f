"""The schema. A change here needs a migration in `migrations/versions/`; a test compares them.

Texts that callers choose can have any characters: on MySQL tables are utf8mb4, whatever the
server's default, with the collation of `llm_api.storage.sql.mysql.table_options`. Sums and counts
are BIGINT, as they exceed 2^31, and money is in millionths.
"""

import sqlalchemy as sa

from llm_api.storage.sql.moments import Moment
from llm_api.storage.sums import SUMS

# The migration that creates this schema.
REVISION = "0018"

metadata = sa.MetaData()

# One row for every call that made at least one attempt at an upstream.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("request_id", sa.String(64), primary_key=True),
    sa.Column("created_at", Moment, nullable=False, index=True, comment="UTC"),
    sa.Column("route", sa.String(64), nullable=False),
    sa.Column("requested_model", sa.String(256), nullable=True),
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
    sa.Column(
        "attempts_detail", sa.JSON(), nullable=True, comment="Every attempt: where, and its end"
    ),
    sa.Column("key_id", sa.String(64), nullable=True),
    sa.Column("http_status", sa.Integer(), nullable=True),
    sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
    sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
    sa.Column("images", sa.BigInteger(), nullable=True),
    sa.Column("first_token_ms", sa.BigInteger(), nullable=True),
    sa.Column("overhead_ms", sa.BigInteger(), nullable=True),
    sa.Column("cost_micro", sa.BigInteger(), nullable=True, comment="Millionths of the currency"),
    sa.Column("currency", sa.String(3), nullable=True),
    sa.Column("tags", sa.String(512), nullable=False, server_default=""),
    sa.Column("lineage_id", sa.String(64), nullable=True),
    sa.Column(
        "pictures",
        sa.JSON(none_as_null=True),
        nullable=True,
        comment="What was made, and what its price counts",
    ),
    sa.Column("group_id", sa.String(64), nullable=True, comment="That of its key at that time"),
    sa.Column(
        "shown_id",
        sa.String(128),
        nullable=True,
        comment="What the response called the request, where that is another id",
    ),
    # The migration has it without NULL where the database can do that. To say so here would bring
    # the dialects into every worker.
    sa.Index("ix_usage_shown_id", "shown_id"),
)


def _rollup(name: str) -> sa.Table:
    """Return a table of sums: one row a time span and combination of dimensions."""
    return sa.Table(
        name,
        metadata,
        sa.Column("starts_at", Moment, primary_key=True, comment="UTC"),
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
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.Column("group_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("reason", sa.String(64), nullable=False, server_default=""),
    )


usage_hourly = _rollup("usage_hourly")
usage_daily = _rollup("usage_daily")

# What a key or group (`key_id` is the id of either) has spent: tokens, or millionths of money.
budget_spending = sa.Table(
    "budget_spending",
    metadata,
    sa.Column("key_id", sa.String(64), primary_key=True),
    sa.Column("period", sa.String(10), primary_key=True, comment="2026-11-23 or 2026-11, UTC"),
    sa.Column("unit", sa.String(8), primary_key=True),
    sa.Column("spent", sa.BigInteger(), nullable=False),
    sa.Column("reserved", sa.BigInteger(), nullable=False),
)

# Upper bounds of calls in progress, until their usage rows settle them.
budget_reservations = sa.Table(
    "budget_reservations",
    metadata,
    sa.Column("request_id", sa.String(64), primary_key=True),
    sa.Column("period", sa.String(10), primary_key=True),
    sa.Column("unit", sa.String(8), primary_key=True),
    sa.Column("key_id", sa.String(64), primary_key=True, index=True),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    sa.Column("created_at", Moment, nullable=False, comment="UTC"),
)

# API keys. Secrets are not stored: api_key_secrets has their SHA-256.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("created_at", Moment, nullable=False, comment="UTC, as are all moments"),
    sa.Column("expires_at", Moment, nullable=True),
    sa.Column("disabled_at", Moment, nullable=True),
    sa.Column("is_admin", sa.Boolean(), nullable=False),
    sa.Column("models", sa.JSON(none_as_null=True), nullable=True, comment="NULL for all"),
    sa.Column("routes", sa.JSON(none_as_null=True), nullable=True, comment="NULL for all"),
    sa.Column("limits", sa.JSON(), nullable=False),
    sa.Column("budgets", sa.JSON(), nullable=False),
    sa.Column("tags", sa.String(512), nullable=False, server_default=""),
    sa.Column("deleted_at", Moment, nullable=True, comment="Reports still need its name"),
    sa.Column("group_id", sa.String(32), nullable=True, index=True),
)
# Groups that keys join.
key_groups = sa.Table(
    "key_groups",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False, comment="UTC"),
    sa.Column("limits", sa.JSON(), nullable=False),
    sa.Column("budgets", sa.JSON(), nullable=False),
)
# After a rotation a key has two secrets, until the former one expires.
api_key_secrets = sa.Table(
    "api_key_secrets",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True, comment="SHA-256 in hexadecimal"),
    sa.Column(
        "key_id",
        sa.String(32),
        sa.ForeignKey("api_keys.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=True),
)

# What was done by an admin's right. On SQLite only an INTEGER counts up.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        comment="In the order of the acts",
    ),
    sa.Column("at", Moment, nullable=False, index=True, comment="UTC"),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False, comment="Id of a key, or cli:USER"),
    sa.Column("actor_name", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False, index=True),
    sa.Column("subject_name", sa.String(64), nullable=True),
    sa.Column("state_before", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("state_after", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("request_id", sa.String(64), nullable=True),
    sa.Column("address", sa.String(64), nullable=True, comment="Of the client"),
)

# Work that outlives its request. `has_ended` follows from `state`, for the indexes.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("has_ended", sa.Boolean(), nullable=False),
    sa.Column("document", sa.JSON(), nullable=False),
    sa.Column("created_at", Moment, nullable=False, comment="UTC, as are all moments"),
    sa.Column("due_at", Moment, nullable=False),
    sa.Column("deadline_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("started_at", Moment, nullable=True),
    sa.Column("ended_at", Moment, nullable=True),
    sa.Column("key_id", sa.String(64), nullable=True),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("lineage_id", sa.String(64), nullable=True),
    sa.Column("claimed_by", sa.String(64), nullable=False, comment="Empty for none"),
    sa.Column("claimed_until", Moment, nullable=True),
    sa.Column("wants_cancel", sa.Boolean(), nullable=False),
    sa.Index("ix_tasks_due", "has_ended", "due_at"),
    sa.Index("ix_tasks_expiring", "has_ended", "expires_at"),
    sa.Index("ix_tasks_listed", "key_id", "kind", "created_at", "id"),
)

# What is known of files; their bytes are in a FileStore. On SQLite only an INTEGER counts up.
files = sa.Table(
    "files",
    metadata,
    sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        comment="In the order of their addition",
    ),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("task_id", sa.String(64), nullable=False, index=True),
    sa.Column("key_id", sa.String(64), nullable=True),
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger(), nullable=False),
    sa.Column("created_at", Moment, nullable=False, comment="UTC, as are all moments"),
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("width", sa.Integer(), nullable=True),
    sa.Column("height", sa.Integer(), nullable=True),
    sa.Column("is_input", sa.Boolean(), nullable=False),
)

# What has happened in lineages. `facts` have nothing that anybody wrote; `texts` may have.
lineage_events = sa.Table(
    "lineage_events",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("lineage_id", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("key_id", sa.String(64), nullable=True),
    sa.Column("at", Moment, nullable=False, index=True, comment="UTC"),
    sa.Column("job_id", sa.String(64), nullable=True, index=True),
    sa.Column("facts", sa.JSON(), nullable=False),
    sa.Column("texts", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("has_texts", sa.Boolean(), nullable=False),
    sa.Index("ix_lineage_events_lineage", "lineage_id", "at"),
    sa.Index("ix_lineage_events_texts", "has_texts", "at"),
)

# Rewrites of prompts, for the same request; without the prompt. Names and requests are hashes.
rewrites = sa.Table(
    "rewrites",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("document", sa.JSON(), nullable=False),
    sa.Column("created_at", Moment, nullable=False, comment="UTC, as are all moments"),
    sa.Column("expires_at", Moment, nullable=True, index=True, comment="NULL: it was pinned"),
    sa.Index("ix_rewrites_request", "request", "created_at"),
)
# Which process makes the rewrite of a request, so that all others wait for it.
rewrite_leases = sa.Table(
    "rewrite_leases",
    metadata,
    sa.Column("request", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(16), nullable=False),
    sa.Column("ends_at", Moment, nullable=False, index=True, comment="UTC"),
)

# Browsers that have signed in, by the SHA-256 of what their cookies have.
console_sessions = sa.Table(
    "console_sessions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("key_id", sa.String(64), nullable=False, index=True),
    sa.Column("secret_proof", sa.String(64), nullable=True, comment="Of keys of the environment"),
    sa.Column("ends_at", Moment, nullable=False, index=True, comment="UTC; later with each use"),
    sa.Column("latest_end", Moment, nullable=False, comment="However much it is used"),
)

# One row: the oldest release that works with this schema, named by its own schema's revision.
schema_compatibility = sa.Table(
    "schema_compatibility",
    metadata,
    sa.Column("oldest", sa.String(32), primary_key=True, comment="a revision"),
)
