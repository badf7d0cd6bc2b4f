"""Usage rows say what pictures were made, and what their price counts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; rows of other calls have none."""
    op.add_column(
        "usage",
        sa.Column(
            "pictures",
            sa.JSON(),
            nullable=True,
            comment="What was made, and what its price counts",
        ),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_column("usage", "pictures")
