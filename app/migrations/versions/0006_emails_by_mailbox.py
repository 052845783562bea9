"""Limits of emails count by mailbox, and an owner reads the emails to one address"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite adds a column that is NOT NULL without copying the table if the column has a default.
    op.add_column(
        "outbox_email",
        sa.Column("mailbox_key", sa.String(320), nullable=False, server_default=sa.text("''")),
    )
    email = sa.table("outbox_email", sa.column("mailbox_key"), sa.column("recipient_key"))
    op.execute(sa.update(email).values(mailbox_key=email.c.recipient_key))
    op.drop_index("ix_outbox_email_recipient", table_name="outbox_email")
    op.create_index("ix_outbox_email_recipient", "outbox_email", ["recipient_key", "id"])
    op.create_index(
        "ix_outbox_email_mailbox", "outbox_email", ["mailbox_key", "kind", "created_at"]
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_email_mailbox", table_name="outbox_email")
    op.drop_index("ix_outbox_email_recipient", table_name="outbox_email")
    op.create_index(
        "ix_outbox_email_recipient", "outbox_email", ["recipient_key", "kind", "created_at"]
    )
    op.drop_column("outbox_email", "mailbox_key")
