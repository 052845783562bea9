"""Events tell what becomes of emails; suppression ends by itself; staff's actions are kept"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ZERO = sa.text("0")


def upgrade() -> None:
    op.add_column("outbox_email", sa.Column("heard", sa.String(16), nullable=True))
    op.add_column("outbox_email", sa.Column("delivered_at", TIME, nullable=True))
    _log()
    _events()
    _suppression()
    _staff_actions()


def _log() -> None:
    """The indexes of staff's log of emails."""
    settled = sa.text("state NOT IN ('queued', 'sending')")
    odd = sa.text("state NOT IN ('queued', 'sending', 'sent')")
    for name, columns, where in (
        ("ix_outbox_email_kind", ["state", "kind", "id"], settled),
        ("ix_outbox_email_state", ["state", "id"], odd),
    ):
        op.create_index(name, "outbox_email", columns, postgresql_where=where, sqlite_where=where)


def _events() -> None:
    op.create_table(
        "email_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email_id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("code", sa.String(16), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("is_hard", sa.Boolean(), nullable=False),
        sa.Column("source_id", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["email_id"],
            ["outbox_email.id"],
            name=op.f("fk_email_event_email_id_outbox_email"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_event")),
        sa.UniqueConstraint(
            "email_id", "source", "source_id", name=op.f("uq_email_event_email_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_source",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("heard_at", TIME, nullable=False),
        sa.Column("unmatched", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("unmatched_at", TIME, nullable=True),
        sa.Column("unused", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("confirmation_link", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_source")),
    )


def _suppression() -> None:
    # Nothing in Pillarbox wrote this table before. What somebody entered by hand stays: an address
    # that still bounces is suppressed again.
    old = sa.table(
        "suppressed_address",
        sa.column("address", sa.String),
        sa.column("reason", sa.Text),
        sa.column("created_at", TIME),
    )
    rows = op.get_bind().execute(sa.select(old)).mappings().all()
    op.drop_table("suppressed_address")
    new = op.create_table(
        "suppressed_address",
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("event", sa.String(16), nullable=True),
        sa.Column("code", sa.String(16), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("bounces", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("email_id", sa.Integer(), nullable=True),
        sa.Column("tried_again_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["email_id"],
            ["outbox_email.id"],
            name=op.f("fk_suppressed_address_email_id_outbox_email"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_suppressed_address")),
    )
    if rows:
        month = timedelta(days=30)
        op.bulk_insert(new, [{**row, "until": row["created_at"] + month} for row in rows])


def _staff_actions() -> None:
    op.create_table(
        "staff_action",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["account.id"],
            name=op.f("fk_staff_action_staff_id_account"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_action")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_staff_action_target", "staff_action", ["target"])


def downgrade() -> None:
    op.drop_table("staff_action")
    op.drop_table("event_source")
    op.drop_table("email_event")
    with op.batch_alter_table("suppressed_address") as table:
        table.drop_column("event")
        table.drop_column("code")
        table.drop_column("until")
        table.drop_column("bounces")
        table.drop_constraint("fk_suppressed_address_email_id_outbox_email", type_="foreignkey")
        table.drop_column("email_id")
        table.drop_column("tried_again_at")
    op.drop_index("ix_outbox_email_state", table_name="outbox_email")
    op.drop_index("ix_outbox_email_kind", table_name="outbox_email")
    op.drop_column("outbox_email", "delivered_at")
    op.drop_column("outbox_email", "heard")
