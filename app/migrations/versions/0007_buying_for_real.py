"""Products are downloads with texts and files; documents, refunds, withdrawals and events

The products and the seller of earlier versions go, because only the invented sample was ever
entered. `pillarbox shop` imports new ones. Every order, payment and receipt number stays.
"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
EMPTY = sa.text("''")
UNSETTLED = sa.text("state IN ('pending', 'processing')")
OPEN = sa.text("state IN ('requested', 'pending')")


def upgrade() -> None:
    _catalogue()
    _orders()
    _payments()
    _withdrawals_and_refunds()
    _documents()
    _events()
    op.add_column("test_payment", sa.Column("settles_as", sa.String(16), nullable=True))
    op.add_column("test_payment", sa.Column("settles_at", TIME, nullable=True))
    op.add_column("test_payment", sa.Column("expires_at", TIME, nullable=True))
    op.execute(
        "UPDATE test_payment SET expires_at ="
        " (SELECT expires_at FROM shop_payment WHERE shop_payment.id = test_payment.reference)"
    )


def _catalogue() -> None:
    op.drop_table("shop_product")
    op.drop_table("shop_seller")
    op.create_table(
        "shop_seller",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("vat_id", sa.String(20), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("statement_name", sa.String(22), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("is_exempt", sa.Boolean(), nullable=False),
        sa.Column("vat_sentence", sa.JSON(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_shop_seller_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_seller")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shop_tax_rate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tax_class", sa.String(32), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.CheckConstraint("rate >= 0", name=op.f("ck_shop_tax_rate_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_tax_rate")),
        sa.UniqueConstraint(
            "tax_class", "country", "starts_on", name=op.f("uq_shop_tax_rate_tax_class")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shop_file",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_shop_file")),
    )
    op.create_table(
        "shop_product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("tax_class", sa.String(32), nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("picture_sha256", sa.String(64), nullable=True),
        sa.Column("picture_type", sa.String(32), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_shop_product_price")),
        sa.ForeignKeyConstraint(
            ["file_sha256"],
            ["shop_file.sha256"],
            name=op.f("fk_shop_product_file_sha256_shop_file"),
        ),
        sa.ForeignKeyConstraint(
            ["picture_sha256"],
            ["shop_file.sha256"],
            name=op.f("fk_shop_product_picture_sha256_shop_file"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_product")),
        sa.UniqueConstraint("slug", name=op.f("uq_shop_product_slug")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shop_product_text",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("format", sa.String(120), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["shop_product.id"],
            name=op.f("fk_shop_product_text_product_id_shop_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "locale", name=op.f("pk_shop_product_text")),
    )


def _orders() -> None:
    for name, kind in (
        ("seller_country", sa.String(2)),
        ("seller_register", sa.Text()),
        ("seller_phone", sa.Text()),
        ("vat_sentence", sa.Text()),
        ("terms", sa.Text()),
        ("buyer_country", sa.String(2)),
    ):
        op.add_column("shop_order", sa.Column(name, kind, nullable=False, server_default=EMPTY))
    for name in ("consent_at", "withdrawal_ends_at", "opened_at"):
        op.add_column("shop_order", sa.Column(name, TIME, nullable=True))
    op.add_column(
        "shop_order_line",
        sa.Column("format", sa.String(120), nullable=False, server_default=EMPTY),
    )
    op.add_column(
        "shop_order_line",
        sa.Column("file_name", sa.Text(), nullable=False, server_default=EMPTY),
    )
    # SQLite takes a foreign key with a new column, and Alembic has no words for that.
    op.execute(
        "ALTER TABLE shop_order_line ADD COLUMN file_sha256 VARCHAR(64)"
        " CONSTRAINT fk_shop_order_line_file_sha256_shop_file REFERENCES shop_file (sha256)"
    )
    for name in ("first_download_at", "closed_at"):
        op.add_column("shop_order_line", sa.Column(name, TIME, nullable=True))
    order = sa.table(
        "shop_order",
        sa.column("id", sa.Integer()),
        sa.column("created_at", TIME),
        sa.column("withdrawal_ends_at", TIME),
        sa.column("opened_at", TIME),
    )
    connection = op.get_bind()
    for id_, created_at in connection.execute(sa.select(order.c.id, order.c.created_at)).all():
        connection.execute(
            sa.update(order)
            .where(order.c.id == id_)
            # These orders have no downloads that could open.
            .values(withdrawal_ends_at=created_at + timedelta(days=15), opened_at=created_at)
        )
    op.create_index(op.f("ix_shop_order_paid_at"), "shop_order", ["paid_at"])
    op.create_index(
        "ix_shop_order_closed",
        "shop_order",
        ["withdrawal_ends_at"],
        postgresql_where=sa.text("opened_at IS NULL"),
        sqlite_where=sa.text("opened_at IS NULL"),
    )


def _payments() -> None:
    op.execute("ALTER TABLE shop_payment RENAME COLUMN reference TO session")
    op.add_column("shop_payment", sa.Column("intent", sa.String(255), nullable=True))
    op.add_column(
        "shop_payment",
        sa.Column("livemode", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(
        "ALTER TABLE shop_payment ADD COLUMN refunded BIGINT DEFAULT 0 NOT NULL"
        " CONSTRAINT ck_shop_payment_refunded CHECK (refunded >= 0 AND refunded <= amount)"
    )
    op.add_column("shop_payment", sa.Column("statement_name", sa.String(64), nullable=True))
    op.add_column("shop_payment", sa.Column("expires_at", TIME, nullable=True))
    op.add_column("shop_payment", sa.Column("checked_at", TIME, nullable=True))
    payment = sa.table("shop_payment", sa.column("created_at", TIME), sa.column("expires_at", TIME))
    op.execute(sa.update(payment).values(expires_at=payment.c.created_at))
    op.create_index(op.f("ix_shop_payment_intent"), "shop_payment", ["intent"])
    op.create_index(
        "ix_shop_payment_unsettled",
        "shop_payment",
        ["created_at"],
        postgresql_where=UNSETTLED,
        sqlite_where=UNSETTLED,
    )


def _withdrawals_and_refunds() -> None:
    op.create_table(
        "shop_withdrawal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("order_number", sa.String(14), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("positions", sa.JSON(), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_withdrawal_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_withdrawal")),
        sa.UniqueConstraint("token", name=op.f("uq_shop_withdrawal_token")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_shop_withdrawal_order_id"), "shop_withdrawal", ["order_id"])
    op.create_index(
        "ix_shop_withdrawal_undecided",
        "shop_withdrawal",
        ["received_at"],
        postgresql_where=sa.text("state = 'received'"),
        sqlite_where=sa.text("state = 'received'"),
    )
    op.create_table(
        "shop_refund",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("withdrawal_id", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reference", sa.String(255), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_shop_refund_amount")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_refund_order_id_shop_order")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["shop_payment.id"], name=op.f("fk_shop_refund_payment_id_shop_payment")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"],
            ["shop_withdrawal.id"],
            name=op.f("fk_shop_refund_withdrawal_id_shop_withdrawal"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_refund")),
        sa.UniqueConstraint("reference", name=op.f("uq_shop_refund_reference")),
    )
    op.create_index(op.f("ix_shop_refund_order_id"), "shop_refund", ["order_id"])
    op.create_index(op.f("ix_shop_refund_payment_id"), "shop_refund", ["payment_id"])
    op.create_index(
        "ix_shop_refund_open",
        "shop_refund",
        ["created_at"],
        postgresql_where=OPEN,
        sqlite_where=OPEN,
    )


def _documents() -> None:
    op.create_table(
        "shop_document",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("series", sa.String(1), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(32), nullable=False),
        sa.Column("refund_id", sa.String(32), nullable=True),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_document_order_id_shop_order")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["shop_payment.id"],
            name=op.f("fk_shop_document_payment_id_shop_payment"),
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["shop_refund.id"], name=op.f("fk_shop_document_refund_id_shop_refund")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_document")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_shop_document_refund_id")),
        sa.UniqueConstraint("series", "year", "number", name=op.f("uq_shop_document_series")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_shop_document_order_id"), "shop_document", ["order_id"])
    op.create_index(
        "ix_shop_document_receipt",
        "shop_document",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'receipt'"),
        sqlite_where=sa.text("kind = 'receipt'"),
    )
    op.create_index(
        "ix_shop_document_missing",
        "shop_document",
        ["id"],
        postgresql_where=sa.text("sha256 IS NULL"),
        sqlite_where=sa.text("sha256 IS NULL"),
    )
    op.create_table(
        "shop_document_counter",
        sa.Column("series", sa.String(1), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year", name=op.f("pk_shop_document_counter")),
    )
    op.execute(
        "INSERT INTO shop_document"
        " (kind, series, year, number, order_id, payment_id, issued_at)"
        " SELECT 'receipt', '', year, sequence, order_id, payment_id, issued_at"
        " FROM shop_receipt ORDER BY id"
    )
    op.execute(
        "INSERT INTO shop_document_counter (series, year, last)"
        " SELECT '', year, last FROM shop_receipt_counter"
    )
    op.drop_table("shop_receipt")
    op.drop_table("shop_receipt_counter")


def _events() -> None:
    op.create_table(
        "shop_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("provider_event", sa.String(255), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_shop_event_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_event")),
        sa.UniqueConstraint("provider_event", name=op.f("uq_shop_event_provider_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_shop_event_order_id"), "shop_event", ["order_id"])


def downgrade() -> None:
    op.drop_column("test_payment", "expires_at")
    op.drop_column("test_payment", "settles_at")
    op.drop_column("test_payment", "settles_as")
    op.drop_table("shop_event")
    _back_to_receipts()
    op.drop_table("shop_refund")
    op.drop_table("shop_withdrawal")
    op.drop_index("ix_shop_payment_unsettled", table_name="shop_payment")
    op.drop_index(op.f("ix_shop_payment_intent"), table_name="shop_payment")
    for name in ("checked_at", "expires_at", "statement_name", "livemode", "intent", "refunded"):
        op.drop_column("shop_payment", name)
    op.execute("ALTER TABLE shop_payment RENAME COLUMN session TO reference")
    op.drop_index("ix_shop_order_closed", table_name="shop_order")
    op.drop_index(op.f("ix_shop_order_paid_at"), table_name="shop_order")
    for name in ("closed_at", "first_download_at", "file_sha256", "file_name", "format"):
        op.drop_column("shop_order_line", name)
    for name in (
        "opened_at",
        "withdrawal_ends_at",
        "consent_at",
        "buyer_country",
        "terms",
        "vat_sentence",
        "seller_phone",
        "seller_register",
        "seller_country",
    ):
        op.drop_column("shop_order", name)
    _back_to_one_language()


def _back_to_receipts() -> None:
    op.create_table(
        "shop_receipt_counter",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_shop_receipt_counter")),
    )
    op.create_table(
        "shop_receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(32), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("issued_at", TIME, nullable=False),
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
    op.execute(
        "INSERT INTO shop_receipt (order_id, payment_id, year, sequence, issued_at)"
        " SELECT order_id, payment_id, year, number, issued_at FROM shop_document"
        " WHERE kind = 'receipt' AND series = '' ORDER BY id"
    )
    op.execute(
        "INSERT INTO shop_receipt_counter (year, last)"
        " SELECT year, last FROM shop_document_counter WHERE series = ''"
    )
    op.drop_table("shop_document")
    op.drop_table("shop_document_counter")


def _back_to_one_language() -> None:
    op.drop_table("shop_product_text")
    op.drop_table("shop_product")
    op.drop_table("shop_file")
    op.drop_table("shop_tax_rate")
    op.drop_table("shop_seller")
    op.create_table(
        "shop_seller",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("vat_id", sa.String(20), nullable=False),
        sa.Column("statement_name", sa.String(22), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_shop_seller_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_seller")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shop_product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("vat_rate", sa.Integer(), nullable=False),
        sa.Column("picture", sa.String(64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_shop_product_price")),
        sa.CheckConstraint("vat_rate >= 0", name=op.f("ck_shop_product_vat_rate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_product")),
        sa.UniqueConstraint("slug", name=op.f("uq_shop_product_slug")),
        sqlite_autoincrement=True,
    )
