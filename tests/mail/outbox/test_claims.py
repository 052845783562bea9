"""Claims: a batch of due emails is leased to one worker, the most urgent first."""

from sqlalchemy import select, text

from app.mail import Priority
from app.mail.outbox.claims import LEASE, claim, renew
from app.mail.outbox.tables import OutboxEmail
from tests.support.clock import Clock
from tests.support.databases import on_postgresql
from tests.support.outbox import Outbox, kind


def test_a_claim_leases_no_more_than_its_limit(sending: Outbox, clock: Clock) -> None:
    for number in range(30):
        sending.write(number)
    # With statistics, PostgreSQL chooses its plan for a small table.
    with sending.registry.database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
    leased: set[int] = set()
    for _ in range(3):
        with sending.registry.database.transaction(write=True) as session:
            batch = {email.id for email in claim(session, "lease-1", clock(), 10)}
        assert len(batch) == 10
        assert not batch & leased
        leased |= batch


def test_a_claim_takes_the_most_urgent_first(sending: Outbox, clock: Clock) -> None:
    later = kind("later", priority=Priority.RECEIPT)
    sooner = kind("sooner", priority=Priority.SECURITY)
    emails = [sending.write(1, of=later), sending.write(2, of=sooner), sending.write(3, of=later)]
    with sending.registry.database.transaction(write=True) as session:
        claimed = claim(session, "lease-1", clock(), 10)
    assert [email.id for email in claimed] == [emails[1].id, emails[0].id, emails[2].id]


@on_postgresql
def test_a_heartbeat_waits_for_no_email_that_is_being_settled(
    sending: Outbox, clock: Clock
) -> None:
    emails, database = [sending.write(1), sending.write(2)], sending.registry.database
    with database.transaction(write=True) as session:
        claim(session, "lease-1", clock(), 10)
    clock.advance(LEASE / 3)
    with database.transaction(write=True) as settling, database.transaction(write=True) as beat:
        settling.scalars(
            select(OutboxEmail).where(OutboxEmail.id == emails[0].id).with_for_update()
        )
        beat.execute(text("SET LOCAL lock_timeout = '2s'"))
        renew(beat, "lease-1", clock(), {email.id for email in emails})
    assert sending.row(emails[1]).leased_until == clock() + LEASE
