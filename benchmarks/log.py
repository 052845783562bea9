"""How long staff wait for the log of emails: its list with each filter, and one email's page, among
a thousand emails and among a million.
"""

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from statistics import median
from typing import Any

from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import SignInSession
from app.accounts.sessions import COOKIE
from app.mail.outbox.tables import OutboxEmail, State
from benchmarks.databases import ENGINES, Databases
from benchmarks.outbox import fill
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio
from tests.support.accounts import add_account
from tests.support.browser import another_browser

MONTHS = 10
LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
SECRET = "secret-of-a-member-of-staff"
# Of each thousand emails, so many of each kind in each state. The rest are sent receipts.
MIX: tuple[tuple[int, dict[str, Any]], ...] = (
    (60, {"state": State.SENT, "kind": "password_reset"}),
    (10, {"state": State.BOUNCED, "reason": "5.1.1 no such user"}),
    (10, {"state": State.FAILED, "reason": "550 5.7.1 refused as spam"}),
    (10, {"state": State.THROTTLED, "kind": "password_reset", "reason": "over the limit of 5"}),
    (5, {"state": State.SUPPRESSED, "reason": "550 5.1.1 no such user"}),
)
QUERIES = {
    "all": "",
    "all, page 2": "before={middle}",
    "accepted": "state=sent",
    "failed": "state=failed",
    "queued": "state=queued",
    "being sent": "state=sending",
    "in doubt, none": "state=unknown",
    "kind": "kind=password_reset",
    "kind, 3 emails": "kind=email_changed",
    "kind, none": "kind=nothing",
    "kind and state": "kind=email_changed&state=failed",
    "last hour": "within=hour",
    "last 7 days, a kind": "within=week&kind=password_reset",
    "recipient": "to_of={middle}",
    "recipient and state": "to_of={middle}&state=failed",
    "reason": "reason=550+5.7",
    "reason, none": "reason=nothing",
    "reason and state": "reason=550&state=failed",
    "about an order": "about=order:1234567",
}


PATHS = {
    "asked for and accepted": "/staff",
    "resend all that failed": "/staff/emails/all/resend?state=failed",
    "resend all accepted": "/staff/emails/all/resend?state=sent",
    "suppressions": "/staff/suppressions",
    "actions": "/staff/actions",
    "scrape of the metrics": "/metrics",
}


def run(databases: Databases, *, quick: bool) -> Section:
    """Open each page in turn, in both logs of each engine."""
    few, many, rounds = (200, 1000, 1) if quick else (1000, 1_000_000, 15)
    lines = []
    with Sink() as sink:
        for engine in ENGINES:
            with ExitStack() as stack:
                logs = [stack.enter_context(Pillarbox(databases, engine, sink)) for _ in range(2)]
                small, large = (
                    _Log(ours, emails) for ours, emails in zip(logs, (few, many), strict=True)
                )
                for name in [*QUERIES, *PATHS, "one email"]:
                    # In turn, so that what else the machine does slows both alike. The first round
                    # compiles templates and statements.
                    taken = [(small.open(name), large.open(name)) for _ in range(rounds + 1)][1:]
                    fast, slow = (median(times) for times in zip(*taken, strict=True))
                    figures = [number(fast), number(slow), ratio(slow / fast)]
                    lines.append(Line(f"{engine}, {name}", figures))
    return Section(
        "Page of the log of emails, median",
        [f"{few:,}", f"{many:,}", "ratio"],
        lines,
        "<= 100 ms, and <= 2 x; the scrape <= 50 ms",
    )


class _Log:
    """An outbox with so many emails, and the browser of a member of staff."""

    def __init__(self, ours: Pillarbox, emails: int) -> None:
        _fill(ours, emails)
        registry = ours.registry
        if not registry.database.is_sqlite:
            # Autovacuum would do this a minute later.
            with registry.database.engine.begin() as connection:
                connection.exec_driver_sql("ANALYZE")
        self._middle = self._id_of_a_receipt(ours)
        self._browser = _staff(ours)

    def open(self, name: str) -> float:
        """Open a page once; the milliseconds that it took."""
        middle = str(self._middle)
        path = f"/staff/emails/{middle}"
        if name in QUERIES:
            path = "/staff/emails?" + QUERIES[name].replace("{middle}", middle)
        path = PATHS.get(name, path)
        begun = time.perf_counter()
        self._browser.get(path, status=200, extra_environ=LOCAL)
        return (time.perf_counter() - begun) * 1000

    def _id_of_a_receipt(self, ours: Pillarbox) -> int:
        with ours.registry.database.transaction(write=False) as session:
            newest = session.scalars(select(OutboxEmail.id).order_by(OutboxEmail.id.desc())).first()
            assert newest is not None
            found = select(OutboxEmail.id).where(OutboxEmail.id > newest // 2)
            middle: int = session.scalars(found.order_by(OutboxEmail.id).limit(1)).one()
            return middle


def _fill(ours: Pillarbox, emails: int) -> None:
    """Fill the outbox as a year does: a little in each month, and a few emails that wait."""
    now, message = datetime.now(UTC), ours.message()
    erased = {"html_body": None, "text_body": None, "next_attempt_at": None}
    per_month = emails // MONTHS
    written = 0

    def write(count: int, at: datetime, **columns: Any) -> None:
        nonlocal written
        values = erased | {"created_at": at, "sent_at": at} | columns
        fill(ours.registry, message, count, key=f"log{written}", **values)
        written += count

    for month in range(MONTHS):
        at = now - timedelta(days=30 * (MONTHS - 1 - month), hours=1)
        receipts = per_month - sum(count * per_month // 1000 for count, _ in MIX)
        write(receipts // 2, at, state=State.SENT)
        for count, columns in MIX:
            write(count * per_month // 1000, at, **columns)
        write(receipts - receipts // 2, at + timedelta(minutes=30), state=State.SENT)
        if month == 0:
            write(3, at, state=State.FAILED, kind="email_changed", reason="552 5.3.4 too large")
    write(100, now, state=State.QUEUED, next_attempt_at=now)


def _staff(ours: Pillarbox) -> TestApp:
    registry = ours.registry
    account = add_account(registry.database, "staff@example.org", is_staff=True)
    now = registry.clock()
    row = SignInSession(
        account_id=account,
        digest=sha256(SECRET.encode()).digest(),
        created_at=now,
        authenticated_at=now,
        last_used_at=now,
        second_factor_at=now,
        browser="Firefox",
        system="Linux",
    )
    with registry.database.transaction(write=True) as session:
        session.add(row)
    browser = another_browser(ours.router)
    browser.set_cookie(COOKIE, SECRET)
    return browser
