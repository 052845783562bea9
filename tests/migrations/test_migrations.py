"""The migrations go up and down on both databases, and end with the models' tables."""

import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import column, func, insert, inspect, select, table, text

from app.database.base import Base
from app.database.engine import Database
from app.mail.delivery.relay import Relay
from app.migrations import migrate, revision_of, revisions
from tests.support.databases import on_postgresql
from tests.support.pooler import Pooler


def test_migrations_go_up_down_to_nothing_and_up_again(plain_database: Database) -> None:
    tables = set(inspect(plain_database.engine).get_table_names())
    assert set(Base.metadata.tables) < tables
    migrate(plain_database.engine, "base")
    assert inspect(plain_database.engine).get_table_names() == ["alembic_version"]
    assert revision_of(plain_database.engine) is None
    migrate(plain_database.engine)
    assert revision_of(plain_database.engine) == revisions()[-1]
    assert set(inspect(plain_database.engine).get_table_names()) == tables


def test_migrating_twice_changes_nothing_and_keeps_what_is_there(plain_database: Database) -> None:
    with plain_database.transaction(write=True) as session:
        session.add(Relay(name="mail.example.org:587", failures=3))
    migrate(plain_database.engine)
    with plain_database.transaction(write=False) as session:
        assert session.scalars(select(Relay.failures)).all() == [3]


def test_migrations_at_once_wait_for_each_other(plain_database: Database) -> None:
    migrate(plain_database.engine, "base")
    url = plain_database.engine.url.render_as_string(hide_password=False)
    program = (
        "import alembic.command, app.accounts.models, app.shop.models;"
        " from app.database.engine import Database; from app.migrations import migrate;"
        f" database = Database({url!r}); print('ready', flush=True); input();"
        " migrate(database.engine); database.dispose()"
    )
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert revision_of(plain_database.engine) == revisions()[-1]


@on_postgresql
def test_a_migration_behind_a_pooler_leaves_no_lock_behind(plain_database: Database) -> None:
    with Pooler(plain_database.engine.url.render_as_string(hide_password=False)) as pooler:
        behind_it = Database(pooler.url)
        migrate(behind_it.engine)
        behind_it.dispose()
        held = select(func.count()).select_from(text("pg_locks WHERE locktype = 'advisory'"))
        with plain_database.engine.connect() as connection:
            assert connection.scalar(held) == 0


def test_the_migrations_end_where_the_models_are(plain_database: Database) -> None:
    with plain_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_emails_of_an_older_version_are_counted_by_their_address(plain_database: Database) -> None:
    migrate(plain_database.engine, "base")
    migrate(plain_database.engine, "0005")
    values = {
        "key": "note:1",
        "kind": "note",
        "about": "note:1",
        "priority": 20,
        "locale": "en",
        "sender": "shop@example.org",
        "envelope_sender": "shop@example.org",
        "recipient_name": "",
        "recipient": "Ada@example.org",
        "recipient_key": "ada@example.org",
        "reply_to": "help@example.org",
        "subject": "Note",
        "message_id": "<1@example.org>",
        "state": "sent",
        "attempts": 0,
        "request_id": "",
        "expires_at": text("CURRENT_TIMESTAMP"),
        "created_at": text("CURRENT_TIMESTAMP"),
    }
    outbox = table("outbox_email", *map(column, values))
    with plain_database.engine.begin() as connection:
        connection.execute(insert(outbox).values(values))
        attempt = (
            "INSERT INTO email_attempt (email_id, at, outcome, phase, reply, duration_ms) VALUES"
            " (1, CURRENT_TIMESTAMP, 'accepted', 'body', '250 ok', 1)"
        )
        connection.execute(text(attempt))
    migrate(plain_database.engine)
    with plain_database.engine.connect() as connection:
        keys = connection.scalars(text("SELECT mailbox_key FROM outbox_email")).all()
        assert keys == ["ada@example.org"]
        assert connection.scalar(text("SELECT count(*) FROM email_attempt")) == 1
