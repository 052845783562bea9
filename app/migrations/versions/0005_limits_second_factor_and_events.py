"""Limits in one row each, the second factor, and what happens to accounts"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("limit_use")
    op.create_table(
        "rate_limit",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("window", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit")),
    )
    op.create_index(op.f("ix_rate_limit_window"), "rate_limit", ["window"], unique=False)
    op.add_column("account_token", sa.Column("address", sa.String(length=320), nullable=True))
    op.add_column("account_token", sa.Column("address_key", sa.String(length=320), nullable=True))
    for column in (
        sa.Column("awaits_code", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("browser", sa.String(length=40), nullable=False, server_default=sa.text("''")),
        sa.Column("system", sa.String(length=40), nullable=False, server_default=sa.text("''")),
    ):
        op.add_column("account_session", column)
    op.create_table(
        "second_factor",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_check", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_second_factor_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_recovery_code_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("digest", name=op.f("uq_recovery_code_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_recovery_code_account_id"), "recovery_code", ["account_id"], unique=False
    )
    op.create_table(
        "account_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_account_event_account_id_account"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["account.id"],
            name=op.f("fk_account_event_staff_id_account"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_account_event_at"), "account_event", ["at"], unique=False)
    op.create_index(
        "ix_account_event_account_id", "account_event", ["account_id", "id"], unique=False
    )


def downgrade() -> None:
    for table in ("account_event", "recovery_code", "second_factor"):
        op.drop_table(table)
    for column in ("system", "browser", "second_factor_at", "awaits_code"):
        op.drop_column("account_session", column)
    op.drop_column("account_token", "address_key")
    op.drop_column("account_token", "address")
    op.drop_table("rate_limit")
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
