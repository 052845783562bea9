"""The first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("body_format", sa.String(length=8), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("address_key", name=op.f("uq_account_address_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox_email",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("envelope_sender", sa.String(length=320), nullable=False),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("recipient_key", sa.String(length=320), nullable=False),
        sa.Column("reply_to", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("html_body", sa.Text(), nullable=True),
        sa.Column("text_body", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=320), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_by", sa.String(length=40), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_email")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_email_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_email_message_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_email_about", "outbox_email", ["about", "kind"], unique=False)
    op.create_index(
        "ix_outbox_email_due",
        "outbox_email",
        ["priority", "next_attempt_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_outbox_email_erasable",
        "outbox_email",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("html_body IS NOT NULL OR text_body IS NOT NULL"),
        sqlite_where=sa.text("html_body IS NOT NULL OR text_body IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_email_leased",
        "outbox_email",
        ["leased_by"],
        unique=False,
        postgresql_where=sa.text("leased_by IS NOT NULL"),
        sqlite_where=sa.text("leased_by IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_email_recipient",
        "outbox_email",
        ["recipient_key", "kind", "created_at"],
        unique=False,
    )
    op.create_table(
        "pending_sign_up",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_sign_up")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_pending_sign_up_created_at"), "pending_sign_up", ["created_at"], unique=False
    )
    op.create_table(
        "relay",
        sa.Column("name", sa.String(length=320), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relay")),
    )
    op.create_table(
        "shop_product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("vat_rate", sa.Integer(), nullable=False),
        sa.Column("picture", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_shop_product_price")),
        sa.CheckConstraint("vat_rate >= 0", name=op.f("ck_shop_product_vat_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_product")),
        sa.UniqueConstraint("slug", name=op.f("uq_shop_product_slug")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shop_receipt_counter",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_shop_receipt_counter")),
    )
    op.create_table(
        "shop_seller",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=False),
        sa.Column("statement_name", sa.String(length=22), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_shop_seller_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_seller")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "site",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_site_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressed_address",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_suppressed_address")),
    )
    op.create_table(
        "test_payment",
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("order_number", sa.String(length=14), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_test_payment")),
    )
    op.create_table(
        "account_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_account_session_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_account_session_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_account_session_account_id"), "account_session", ["account_id"], unique=False
    )
    op.create_table(
        "account_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("pending_sign_up_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_account_token_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pending_sign_up_id"],
            ["pending_sign_up.id"],
            name=op.f("fk_account_token_pending_sign_up_id_pending_sign_up"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_account_token_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_account_token_account_id"), "account_token", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_account_token_pending_sign_up_id"),
        "account_token",
        ["pending_sign_up_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_account_token_expires_at"), "account_token", ["expires_at"], unique=False
    )
    op.create_table(
        "email_attachment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["email_id"],
            ["outbox_email.id"],
            name=op.f("fk_email_attachment_email_id_outbox_email"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_attachment")),
        sa.UniqueConstraint("email_id", "position", name=op.f("uq_email_attachment_email_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "email_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced_code", sa.String(length=16), nullable=True),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["email_id"],
            ["outbox_email.id"],
            name=op.f("fk_email_attempt_email_id_outbox_email"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_attempt")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_email_attempt_email_id"), "email_attempt", ["email_id"], unique=False)
    op.create_table(
        "shop_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=14), nullable=False),
        sa.Column("basket_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seller_name", sa.Text(), nullable=False),
        sa.Column("seller_address", sa.Text(), nullable=False),
        sa.Column("seller_vat_id", sa.String(length=20), nullable=False),
        sa.Column("seller_support_email", sa.String(length=320), nullable=False),
        sa.Column("seller_statement_name", sa.String(length=22), nullable=False),
        sa.Column("buyer_name", sa.Text(), nullable=False),
        sa.Column("buyer_address", sa.Text(), nullable=False),
        sa.Column("buyer_email", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("body_format", sa.String(length=8), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("vat", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_shop_order_account_id_account"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_order")),
        sa.UniqueConstraint("basket_id", name=op.f("uq_shop_order_basket_id")),
        sa.UniqueConstraint("number", name=op.f("uq_shop_order_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_shop_order_account_id"), "shop_order", ["account_id"], unique=False)
    op.create_table(
        "shop_order_line",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("vat_rate", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shop_order_line_quantity")),
        sa.CheckConstraint("total = quantity * unit_price", name=op.f("ck_shop_order_line_total")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_order_line_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("order_id", "position", name=op.f("pk_shop_order_line")),
    )
    op.create_table(
        "shop_order_tax",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("vat", sa.BigInteger(), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("gross = net + vat", name=op.f("ck_shop_order_tax_gross")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_order_tax_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("order_id", "rate", name=op.f("pk_shop_order_tax")),
    )
    op.create_table(
        "shop_payment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("held_because", sa.Text(), nullable=True),
        sa.Column("card_brand", sa.String(length=32), nullable=True),
        sa.Column("card_last4", sa.String(length=4), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_payment_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_payment")),
        sa.UniqueConstraint("order_id", "attempt", name=op.f("uq_shop_payment_order_id")),
        sa.UniqueConstraint("provider", "reference", name=op.f("uq_shop_payment_provider")),
    )
    op.create_table(
        "shop_receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_receipt_order_id_shop_order")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["shop_payment.id"],
            name=op.f("fk_shop_receipt_payment_id_shop_payment"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_receipt")),
        sa.UniqueConstraint("order_id", name=op.f("uq_shop_receipt_order_id")),
        sa.UniqueConstraint("year", "sequence", name=op.f("uq_shop_receipt_year")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("shop_receipt")
    op.drop_table("shop_payment")
    op.drop_table("shop_order_tax")
    op.drop_table("shop_order_line")
    op.drop_index(op.f("ix_shop_order_account_id"), table_name="shop_order")
    op.drop_table("shop_order")
    op.drop_index(op.f("ix_email_attempt_email_id"), table_name="email_attempt")
    op.drop_table("email_attempt")
    op.drop_table("email_attachment")
    op.drop_index(op.f("ix_account_token_expires_at"), table_name="account_token")
    op.drop_index(op.f("ix_account_token_pending_sign_up_id"), table_name="account_token")
    op.drop_index(op.f("ix_account_token_account_id"), table_name="account_token")
    op.drop_table("account_token")
    op.drop_index(op.f("ix_account_session_account_id"), table_name="account_session")
    op.drop_table("account_session")
    op.drop_table("test_payment")
    op.drop_table("suppressed_address")
    op.drop_table("site")
    op.drop_table("shop_seller")
    op.drop_table("shop_receipt_counter")
    op.drop_table("shop_product")
    op.drop_table("relay")
    op.drop_index(op.f("ix_pending_sign_up_created_at"), table_name="pending_sign_up")
    op.drop_table("pending_sign_up")
    op.drop_index("ix_outbox_email_recipient", table_name="outbox_email")
    op.drop_index(
        "ix_outbox_email_leased",
        table_name="outbox_email",
        postgresql_where=sa.text("leased_by IS NOT NULL"),
        sqlite_where=sa.text("leased_by IS NOT NULL"),
    )
    op.drop_index(
        "ix_outbox_email_erasable",
        table_name="outbox_email",
        postgresql_where=sa.text("html_body IS NOT NULL OR text_body IS NOT NULL"),
        sqlite_where=sa.text("html_body IS NOT NULL OR text_body IS NOT NULL"),
    )
    op.drop_index(
        "ix_outbox_email_due",
        table_name="outbox_email",
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.drop_index("ix_outbox_email_about", table_name="outbox_email")
    op.drop_table("outbox_email")
    op.drop_table("account")
