"""What an email is made from, and when a customer asked for a receipt again"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0001"
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
    op.create_table(
        "shop_receipt_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["shop_order.id"],
            name=op.f("fk_shop_receipt_request_order_id_shop_order"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_receipt_request")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_shop_receipt_request_order_id"), "shop_receipt_request", ["order_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_shop_receipt_request_order_id"), table_name="shop_receipt_request")
    op.drop_table("shop_receipt_request")
    op.drop_index(
        "ix_outbox_email_uncomposed",
        table_name="outbox_email",
        postgresql_where=sa.text("made_from IS NOT NULL"),
        sqlite_where=sa.text("made_from IS NOT NULL"),
    )
    op.drop_column("outbox_email", "made_from")
