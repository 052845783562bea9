"""An action on many emails keeps which; commands leave their counts; cheaper indexes of the log"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_outbox_email_kind": (["state", "kind", "id"], ("queued", "sending")),
    "ix_outbox_email_state": (["state", "id"], ("queued", "sending", "sent")),
}
"""The columns of each index, and the states of the emails that it leaves out."""


def upgrade() -> None:
    # For NOT IN, SQLite builds a table of the states each time when an email changes.
    _index_again(lambda states: " AND ".join(f"state != '{state}'" for state in states))
    op.create_table(
        "staff_action_email",
        sa.Column("action_id", sa.Integer(), nullable=False),
        sa.Column("email_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["action_id"],
            ["staff_action.id"],
            name=op.f("fk_staff_action_email_action_id_staff_action"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["email_id"],
            ["outbox_email.id"],
            name=op.f("fk_staff_action_email_email_id_outbox_email"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("action_id", "email_id", name=op.f("pk_staff_action_email")),
    )
    op.create_index("ix_staff_action_email_email_id", "staff_action_email", ["email_id"])
    op.create_table(
        "metric_count",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("labels", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_metric_count")),
    )


def downgrade() -> None:
    op.drop_table("metric_count")
    op.drop_table("staff_action_email")
    _index_again(lambda states: f"state NOT IN {states}")


def _index_again(condition: Callable[[tuple[str, ...]], str]) -> None:
    for name, (columns, states) in INDEXES.items():
        op.drop_index(name, "outbox_email")
        where = sa.text(condition(states))
        op.create_index(name, "outbox_email", columns, postgresql_where=where, sqlite_where=where)
