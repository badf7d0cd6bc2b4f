"""Tasks of a key and a kind are listed without looking at any others: pictures are many more."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INDEX = "ix_tasks_listed"


def upgrade() -> None:
    """Add the index, in the order of the list."""
    op.create_index(_INDEX, "tasks", ["key_id", "kind", "created_at", "id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index(_INDEX, table_name="tasks")
