"""Who asked for an email, sign-ups by address, and limits"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite adds and drops a column without copying the table, so no attempt is lost with it.
    op.add_column("outbox_email", sa.Column("asked_by", sa.String(length=64), nullable=True))
    op.create_index(
        op.f("ix_pending_sign_up_address_key"), "pending_sign_up", ["address_key"], unique=False
    )
    op.create_table(
        "limit_use",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("limit_name", sa.String(length=64), nullable=False),
        sa.Column("used_by", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_use")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_limit_use_limit_name", "limit_use", ["limit_name", "used_by"], unique=False)


def downgrade() -> None:
    op.drop_table("limit_use")
    op.drop_index(op.f("ix_pending_sign_up_address_key"), table_name="pending_sign_up")
    op.drop_column("outbox_email", "asked_by")
