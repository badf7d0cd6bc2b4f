"""What was tried for a call: every attempt with its upstream, model and end."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "usage",
        sa.Column("tries", sa.JSON(), nullable=True, comment="Every attempt: where, and its end"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("usage", "tries")
