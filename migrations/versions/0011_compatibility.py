"""The oldest release that works with the schema."""

import sqlalchemy as sa
from alembic import op

from llm_api.storage.sql.mysql import table_options

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, with this schema's own release as the oldest.

    A later migration that takes something away from releases before it updates the row.
    """
    table = sa.table("schema_compatibility", sa.column("oldest"))
    op.create_table(
        "schema_compatibility",
        sa.Column("oldest", sa.String(32), primary_key=True, comment="a revision"),
        **table_options(op.get_bind()),
    )
    op.execute(sa.delete(table))  # of a migration that was cut off on MySQL
    op.bulk_insert(table, [{"oldest": revision}])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("schema_compatibility")
