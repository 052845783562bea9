"""What an email that could not be composed is made from"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox_email", sa.Column("made_from", sa.Text(), nullable=True))
    op.create_index(
        "ix_outbox_email_uncomposed",
        "outbox_email",
        ["id"],
        unique=False,
        postgresql_where=sa.text("made_from IS NOT NULL"),
        sqlite_where=sa.text("made_from IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_outbox_email_uncomposed",
        table_name="outbox_email",
        postgresql_where=sa.text("made_from IS NOT NULL"),
        sqlite_where=sa.text("made_from IS NOT NULL"),
    )
    op.drop_column("outbox_email", "made_from")
