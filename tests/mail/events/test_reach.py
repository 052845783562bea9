"""Whether emails reach an address is asked on every page of a signed-in customer."""

from sqlalchemy import insert

from app.database.engine import Database
from app.mail.events.reach import unreachable
from app.mail.outbox.tables import OutboxEmail, State
from tests.mail.outbox.test_claim_plans import plan
from tests.support.clock import Clock
from tests.support.outbox import Outbox


def test_the_database_finds_the_last_email_by_an_index(
    outbox: Outbox, database: Database, clock: Clock
) -> None:
    first = outbox.write(0, text="A letter, " * 150)
    columns = [column.name for column in OutboxEmail.__table__.columns if column.name != "id"]
    row = {name: getattr(first, name) for name in columns} | {"state": State.SENT}
    rows = [
        row | {"key": str(n), "message_id": f"<{n}@localhost>", "recipient_key": f"{n % 999}@x"}
        for n in range(3000)
    ]
    with database.transaction(write=True) as session:
        session.execute(insert(OutboxEmail), rows)
    with database.transaction(write=False) as session:
        found = plan(session, lambda: unreachable(session, "7@x", clock()))
    assert "ix_outbox_email_recipient" in found
    assert "Seq Scan on outbox_email" not in found
    assert "SCAN outbox_email" not in found
    assert "TEMP B-TREE" not in found
