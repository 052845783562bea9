"""Claiming: a batch of due emails is leased to one worker, most urgent first."""

from app.mail import Priority
from app.mail.outbox import claim
from tests.conftest import Clock
from tests.delivery.conftest import Outbox, kind


def test_a_claim_leases_no_more_than_its_limit(sending: Outbox, clock: Clock) -> None:
    for number in range(30):
        sending.write(number)
    # With statistics PostgreSQL chooses its plan for a small table.
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
