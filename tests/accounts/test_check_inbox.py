"""The pages "Check your inbox": what they promise, and correcting the address (STANDARDS C7)."""

from collections.abc import Callable

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.models import PendingSignUp
from app.database.engine import Database
from app.mail.outbox.claims import claim
from app.mail.outbox.outcomes import begin_sending
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    recorded_statements,
    sign_in,
    sign_up,
)
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite

# Nothing here depends on the database.
pytestmark = on_sqlite

WRONG = "anna@exmaple.org"
KNOWN = pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
ASKS = pytest.mark.parametrize("ask", [sign_up, forgot_password])
Ask = Callable[[TestApp], TestResponse]


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """An application whose relay is down: every email waits in the outbox. No worker runs."""
    values = {"email.debug": "false", "email.smtp_server": "127.0.0.1", "email.smtp_port": "1"}
    return make_app(settings_values | values | {"email.smtp_security": "none"})


def copy_of(browser: TestApp, app: Router) -> TestApp:
    """Another browser with the same cookies, which it keeps whatever becomes of the first one's."""
    copy = another_browser(app)
    for name, value in browser.cookies.items():
        copy.set_cookie(name, value)
    return copy


# --- What the page says -------------------------------------------------------


@ASKS
@KNOWN
def test_the_page_says_what_comes_and_what_to_do_if_nothing_comes(
    browser: TestApp, mailbox: Mailbox, database: Database, ask: Ask, is_known: bool
) -> None:
    if is_known:
        add_account(database)
    page = ask(browser).follow()
    main = page.html.find("main").get_text(" ", strip=True)
    assert ANNA in main
    assert "shop@example.org" in main
    assert "is valid for" in main
    assert "spam folder" in main
    assert page.html.select_one('main a[href="mailto:help@example.org"]')
    assert page.html.find("a", string="Correct it")
    emails = mailbox.all()
    assert len(emails) == (0 if ask is forgot_password and not is_known else 1)
    for email in emails:
        assert email.subject in main
        assert email.sender == "Pillarbox <shop@example.org>"


@ASKS
@KNOWN
def test_with_the_relay_down_no_page_says_that_an_email_was_sent(
    browser: TestApp, mailbox: Mailbox, database: Database, ask: Ask, is_known: bool
) -> None:
    if is_known:
        add_account(database)
    page = ask(browser).follow()
    pages = [page]
    for status in (303, 303, 303, 429):
        page = page.forms[0].submit(status=status)
        page = page.follow() if status == 303 else page
        pages.append(page)
    assert {email.state for email in mailbox.all()} <= {"queued", "superseded"}
    for page in pages:
        main = page.html.find("main").get_text(" ", strip=True)
        for untrue in ("have sent you", "was sent", "has been sent", "have sent an email"):
            assert untrue not in main
    assert "We are sending another email, unless" in pages[1].text or "we are sending" in (
        pages[1].text
    )


@ASKS
def test_a_held_back_email_changes_no_word_of_the_page(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, ask: Ask
) -> None:
    if ask is forgot_password:
        add_account(database)
    texts = set()
    while not mailbox.all() or mailbox.latest().state != "throttled":
        texts.add(ask(browser).follow().html.find("main").get_text(" ", strip=True))
    assert "over the limit of 5" in (mailbox.latest().reason or "")
    assert len(texts) == 1


# --- Correcting the address ---------------------------------------------------


@KNOWN
def test_a_corrected_sign_up_ends_with_its_waiting_emails(
    browser: TestApp, mailbox: Mailbox, database: Database, is_known: bool
) -> None:
    if is_known:
        add_account(database, WRONG)
    sign_up(browser, WRONG).follow().forms[0].submit()
    page = browser.get("/sign-up/sent").click("Correct it")
    page.forms[0]["email"], page.forms[0]["password"] = ANNA, PASSWORD
    assert ANNA in page.forms[0].submit().follow().text
    superseded, cancelled = mailbox.all(to=WRONG)
    assert superseded.state == "superseded"
    assert (cancelled.state, cancelled.reason) == (
        "cancelled",
        "the customer corrected the address",
    )
    assert not cancelled.has_body
    assert mailbox.latest(to=ANNA).state == "queued"
    with database.transaction(write=False) as session:
        assert session.scalars(select(PendingSignUp.address)).all() == [ANNA]
    # "Send again" goes to the corrected address.
    browser.get("/sign-up/sent").forms[0].submit()
    assert mailbox.latest().recipient == ANNA


def test_the_links_of_a_corrected_sign_up_die_and_their_page_says_why(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    sign_up(browser, WRONG)
    link = mailbox.link(mailbox.latest())
    other = another_browser(app)
    open_page = other.get(link)
    sign_up(browser, ANNA)
    for page in (other.get(link, status=410), open_page.forms[0].submit(status=410)):
        assert heading(page) == "This link no longer works"
        assert "Its address was corrected" in page.text
        assert page.html.select_one("main a.button")["href"] == "/sign-up"
    assert sign_in(other, WRONG).status_int == 422
    assert browser.get(mailbox.link(mailbox.latest())).forms[0].submit().status_int == 303


def test_only_the_browsers_own_sign_up_ends(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    sign_up(another_browser(app), WRONG)
    others = mailbox.latest()
    sign_up(browser, WRONG)
    sign_up(browser, ANNA)
    assert [mail.state for mail in mailbox.all(to=WRONG)] == ["queued", "cancelled"]
    assert browser.get(mailbox.link(others)).status_int == 200


def test_another_spelling_of_the_address_corrects_nothing(
    browser: TestApp, mailbox: Mailbox
) -> None:
    sign_up(browser, "ANNA@example.org")
    link = mailbox.link(mailbox.latest())
    sign_up(browser, ANNA)
    assert browser.get(link).forms[0].submit().status_int == 303


def test_an_email_that_is_being_sent_is_left_alone(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, clock: Clock
) -> None:
    sign_up(browser, WRONG)
    with database.transaction(write=True) as session:
        [claimed] = claim(session, "lease-1", clock(), 1)
        assert begin_sending(session.connection(), claimed, "lease-1", clock())
    sign_up(browser, ANNA)
    assert mailbox.latest(to=WRONG).state == "sending"
    assert mailbox.latest(to=WRONG).has_body


def test_correcting_a_taken_and_a_free_address_runs_the_same_statements(
    app: Router, database: Database
) -> None:
    add_account(database, WRONG)
    statements = []
    for address in (WRONG, "berta@exmaple.org"):
        browser = another_browser(app)
        sign_up(browser, address)
        form = browser.get("/sign-up").forms[0]
        form["email"], form["password"] = ANNA, PASSWORD
        with recorded_statements(database) as recorded:
            form.submit(status=303)
        statements.append(recorded)
    assert statements[0] == statements[1]


def test_the_kept_cookie_of_a_corrected_sign_up_does_not_tell_whether_there_is_an_account(
    app: Router, mailbox: Mailbox, database: Database
) -> None:
    add_account(database, WRONG)
    statements, pages = [], []
    for address in (WRONG, "berta@exmaple.org"):
        browser = another_browser(app)
        sign_up(browser, address)
        kept = copy_of(browser, app)
        sign_up(browser, ANNA)
        form = kept.get("/sign-up/sent").forms[0]
        with recorded_statements(database) as recorded:
            answer = form.submit(status=303)
        statements.append(recorded)
        pages.append(answer.follow().html.find("main").get_text().replace(address, ""))
    kept_it, undone = "RELEASE SAVEPOINT sa_savepoint_1", "ROLLBACK TO SAVEPOINT"
    assert [kept_it if words == undone else words for words in statements[1]] == statements[0]
    assert pages[0] == pages[1]
    assert [mail.state for mail in mailbox.all(to="berta@exmaple.org")] == ["cancelled"]


def test_asking_for_another_accounts_reset_leaves_the_first_ones_email(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    """Whoever asks may be a stranger. He must not be able to cancel an owner's reset."""
    add_account(database)
    page = forgot_password(browser).follow().click("Correct it")
    page.forms[0]["email"] = "berta@example.org"
    assert "berta@example.org" in page.forms[0].submit().follow().text
    assert mailbox.latest(to=ANNA).state == "queued"
    assert browser.get(mailbox.link(mailbox.latest(to=ANNA))).status_int == 200
