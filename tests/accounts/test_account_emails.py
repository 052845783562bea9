"""``/account/emails``: the emails to the account's address, and what became of each."""

from collections.abc import Iterator

import pytest
from pyramid.router import Router
from sqlalchemy import Connection, event, insert, text
from webtest import TestApp, TestResponse

from app.accounts.account_emails import WORDS, emails_of
from app.accounts.models import Account
from app.database.engine import Database
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome, Phase
from tests.support.accounts import ANNA, add_account, heading, sign_in
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.outbox import Outbox, put


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna is signed in."""
    anna = add_account(database)
    sign_in(browser)
    return anna


def lines(page: TestResponse) -> list[list[str]]:
    """The table's body, cell by cell."""
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in page.html.select("main tbody tr")
    ]


def write_many(outbox: Outbox, count: int, address: str = ANNA) -> None:
    first = outbox.write(0, address=address)
    columns = [column.name for column in OutboxEmail.__table__.columns if column.name != "id"]
    row = {name: getattr(first, name) for name in columns}
    rows = [
        row | {"key": f"n:{n}", "message_id": f"<{n}@localhost>", "subject": f"Note {n}"}
        for n in range(1, count)
    ]
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(insert(OutboxEmail), rows)


def test_the_account_page_leads_to_the_emails(browser: TestApp, outbox: Outbox) -> None:
    outbox.write(1, address=ANNA)
    outbox.write(2, address="berta@example.org")
    page = browser.get("/account").click("Emails we sent you")
    assert heading(page) == "Emails we sent you"
    [[subject, when, state]] = lines(page)
    assert (subject, state) == ("Note 1 for you", "Captured, not sent (test mode)")
    assert when.startswith("Nov 22, 2026")
    table = page.html.find("table")
    assert table.find("caption").get_text() == "Our emails to you, the newest first"
    assert [cell["scope"] for cell in table.find_all("th")] == ["col", "col", "col", "row"]
    assert table.find("time")["datetime"].startswith("2026-11-22T12:00:00")
    assert page.headers["Cache-Control"] == "no-store"
    assert "Hello" not in page.text


def test_without_emails_the_page_says_what_to_do_next(browser: TestApp) -> None:
    page = browser.get("/account/emails")
    assert "We have not sent any emails" in page.text
    assert page.html.select_one("main a.button")["href"] == "/"


def test_a_visitor_has_to_sign_in(app: Router) -> None:
    location = another_browser(app).get("/account/emails", status=303).location
    assert location.endswith("/sign-in?next=%2Faccount%2Femails")


def test_older_emails_are_on_further_pages(browser: TestApp, outbox: Outbox) -> None:
    write_many(outbox, 120)
    page = browser.get("/account/emails")
    shown = lines(page)
    assert len(shown) == 50
    for size in (50, 20):
        page = page.click("Older emails")
        assert len(lines(page)) == size
        shown += lines(page)
    assert "Older emails" not in page.text
    expected = [f"Note {number}" for number in range(119, 0, -1)]
    assert [subject for subject, *_ in shown] == [*expected, "Note 0 for you"]
    assert lines(page.click("Newest emails")) == shown[:50]


@pytest.mark.parametrize(
    "before", ["", "x", "-1", "1.5", "%D9%A3", "9999999999", "9" * 400, "1 OR 1=1"]
)
def test_a_page_that_does_not_exist_is_not_found(browser: TestApp, before: str) -> None:
    browser.get(f"/account/emails?before={before}", status=404)


def test_beyond_the_oldest_email_there_are_none(browser: TestApp, outbox: Outbox) -> None:
    outbox.write(1, address=ANNA)
    assert "There are no older emails." in browser.get("/account/emails?before=1").text
    assert len(lines(browser.get("/account/emails?before=2147483647"))) == 1


@pytest.mark.parametrize("state", State)
def test_each_state_is_said_in_words(browser: TestApp, outbox: Outbox, state: State) -> None:
    put(outbox, outbox.write(1, address=ANNA), state, reason="550 words of the relay")
    [[_subject, _when, words]] = lines(browser.get("/account/emails"))
    assert words.startswith(WORDS[state])
    assert "relay" not in words


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        (Outcome.REFUSED, "5.2.2", "Your mailbox was full."),
        (Outcome.REFUSED, "5.1.1", "Your mailbox does not exist."),
        (Outcome.REFUSED, "5.1.10", "Your email provider takes no emails for this address."),
        (Outcome.DEFERRED, "4.2.2", "Your mailbox was full."),
        (Outcome.ABOUT_US, "5.2.2", ""),
        (Outcome.REFUSED, "5.0.0", ""),
        (Outcome.REFUSED, None, ""),
    ],
)
def test_the_owner_learns_what_the_owner_can_mend(
    browser: TestApp,
    outbox: Outbox,
    clock: Clock,
    outcome: Outcome,
    code: str | None,
    reason: str,
) -> None:
    email = put(outbox, outbox.write(1, address=ANNA), State.FAILED, reason="552 words of theirs")
    attempts = [
        EmailAttempt(
            email_id=email.id,
            at=clock(),
            outcome=each,
            phase=Phase.RCPT,
            code=552,
            enhanced_code=enhanced,
            reply=f"552 {enhanced} words of theirs",
            duration_ms=3,
        )
        for each, enhanced in [(Outcome.DEFERRED, "4.2.1"), (outcome, code)]
    ]
    with outbox.registry.database.transaction(write=True) as session:
        session.add_all(attempts)
    page = browser.get("/account/emails")
    [[_subject, _when, words]] = lines(page)
    assert words == f"Could not be delivered {reason}".strip()
    assert "theirs" not in page.text


def test_a_subject_is_text_and_may_be_missing(browser: TestApp, outbox: Outbox) -> None:
    outbox.write(1, address=ANNA, subject="<script>alert(1)</script> & more")
    outbox.change(outbox.write(2, address=ANNA), subject="")
    page = browser.get("/account/emails")
    assert [subject for subject, *_ in lines(page)] == [
        "Without a subject",
        "<script>alert(1)</script> & more",
    ]
    assert page.html.select_one("tbody script") is None


def test_spellings_of_the_address_are_one_and_other_addresses_are_not(
    outbox: Outbox, database: Database
) -> None:
    for number, address in enumerate(
        ["ANNA@example.org", "anna+shop@example.org", "anna@example.org.example", "nna@example.org"]
    ):
        outbox.write(number, address=address)
    with database.transaction(write=False) as session:
        account = session.get_one(Account, 1)
        assert [email.subject for email in emails_of(session, account)] == ["Note 0 for you"]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("ä@example.org", "Ä@example.org"), ("k@x.example", "\N{KELVIN SIGN}@x.example")],
)
def test_letters_outside_of_a_to_z_tell_two_customers_apart(
    outbox: Outbox, database: Database, mine: str, theirs: str
) -> None:
    outbox.write(1, address=mine)
    outbox.write(2, address=theirs)
    account = Account(id=9, address=mine, address_key=mine)
    with database.transaction(write=False) as session:
        assert [email.subject for email in emails_of(session, account)] == ["Note 1 for you"]


def test_after_a_change_of_address_the_emails_to_the_old_one_are_gone(
    browser: TestApp, outbox: Outbox, database: Database, anna: int
) -> None:
    outbox.write(1, address=ANNA)
    with database.transaction(write=True) as session:
        account = session.get_one(Account, anna)
        account.address = account.address_key = "new@example.org"
    assert lines(browser.get("/account/emails")) == []


@pytest.fixture
def searches(database: Database) -> Iterator[list[tuple[str, object]]]:
    """The searches for emails that are made in the test."""
    made: list[tuple[str, object]] = []

    def note(_: Connection, __: object, statement: str, parameters: object, *more: object) -> None:
        if "FROM outbox_email" in statement:
            made.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield made
    event.remove(database.engine, "before_cursor_execute", note)


def test_the_index_finds_the_emails_in_their_order(
    outbox: Outbox, database: Database, searches: list[tuple[str, object]]
) -> None:
    write_many(outbox, 2000, "somebody@example.org")
    outbox.write(1, address=ANNA, key="annas")
    with database.transaction(write=False) as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL enable_seqscan = off"))
        searches.clear()
        emails_of(session, session.get_one(Account, 1), before=10**6)
        [(statement, parameters)] = searches
        explain = "EXPLAIN QUERY PLAN" if session.get_bind().dialect.name == "sqlite" else "EXPLAIN"
        rows = session.connection().exec_driver_sql(f"{explain} {statement}", parameters)
        plan = "\n".join(str(row[-1]) for row in rows)
    assert "ix_outbox_email_recipient" in plan
    assert "Sort" not in plan
    assert "B-TREE FOR ORDER" not in plan
