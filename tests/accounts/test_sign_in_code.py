"""The second page of a sign-in: the code of the second factor."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import RecoveryCode, SignInSession
from app.database.engine import Database
from app.mail.testing import Mailbox
from app.web.visitor import visitor_serializer
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    is_signed_in,
    post,
    sign_in,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.rows import count
from tests.support.second_factor import (
    CODE_PAGE,
    STEP,
    Phone,
    enter,
    events,
    sign_in_with_code,
    turn_on,
)

BERTA = "berta@example.org"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def anna(database: Database) -> int:
    """Anna has an account."""
    return add_account(database)


@pytest.fixture
def phone(app: Router, anna: int, clock: Clock) -> Phone:
    """Anna's phone, with the second factor of her account."""
    browser = another_browser(app)
    sign_in(browser)
    return turn_on(browser, clock)


def test_the_password_alone_signs_nobody_in(browser: TestApp, phone: Phone) -> None:
    page = sign_in(browser).follow()
    assert heading(page) == "Enter your code"
    field = page.html.select_one("input[name=code]")
    assert (field["autocomplete"], field["inputmode"]) == ("one-time-code", "numeric")
    field = page.click("Use a recovery code instead").html.select_one("input[name=code]")
    assert field["inputmode"] == "text", "the keyboard for digits has no letters"
    assert not is_signed_in(browser)
    assert browser.get("/account/sessions", status=303)


def test_password_and_code_sign_in(browser: TestApp, phone: Phone, database: Database) -> None:
    sign_in(browser)
    waiting = browser.cookies["pillarbox-session"]
    page = enter(browser, phone.code())
    assert page.location.endswith("/account")
    assert is_signed_in(browser)
    assert browser.cookies["pillarbox-session"] != waiting, "the session has a new id"
    assert events(database)[-2:] == [("sign_in", "code_needed"), ("code", "ok")]


def test_next_is_kept_on_the_way_to_the_recovery_code(browser: TestApp, phone: Phone) -> None:
    sign_in(browser)
    page = browser.get(CODE_PAGE, {"next": "/orders"}).click("Use a recovery code instead")
    page = page.click("Use the authenticator app instead").click("Use a recovery code instead")
    form = page.forms[0]
    form["code"] = phone.recovery_codes[0]
    assert form.submit().location == "http://localhost/orders"


def test_next_is_kept_over_both_pages_and_a_wrong_code(browser: TestApp, phone: Phone) -> None:
    page = browser.get("/account?from=email", status=303).follow()
    form = page.forms[0]
    form["email"], form["password"] = ANNA, PASSWORD
    form = form.submit().follow().forms[0]
    form["code"] = "000000"
    form = form.submit(status=422).forms[0]
    form["code"] = phone.code()
    assert form.submit().location == "http://localhost/account?from=email"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example"])
def test_signing_in_leads_to_no_other_site(browser: TestApp, phone: Phone, elsewhere: str) -> None:
    sign_in(browser)
    form = browser.get(CODE_PAGE, {"next": elsewhere}).forms[0]
    form["code"] = phone.code()
    assert form.submit().location == "http://localhost/account"


def test_a_browser_without_a_right_password_is_sent_to_the_first_page(
    browser: TestApp, phone: Phone
) -> None:
    assert browser.get(CODE_PAGE, status=303).location.endswith("/sign-in")
    token = browser.get("/sign-in").forms[0]["csrf_token"].value
    fields = {"code": phone.code(), "csrf_token": token}
    assert browser.post(CODE_PAGE, fields, status=303).location.endswith("/sign-in")
    assert not is_signed_in(browser)


def test_a_signed_in_customer_has_nothing_to_enter(browser: TestApp, phone: Phone) -> None:
    sign_in_with_code(browser, phone.code())
    assert browser.get(CODE_PAGE, status=303).location.endswith("/account")


def test_waiting_for_the_code_ends_after_ten_minutes(
    browser: TestApp, phone: Phone, clock: Clock
) -> None:
    sign_in(browser)
    form = browser.get(CODE_PAGE).forms[0]
    clock.advance(10 * MINUTE)
    form["code"] = phone.code()
    assert "/sign-in" in form.submit(status=303).location
    assert not is_signed_in(browser)


@pytest.mark.parametrize("style", ["{}", " {} ", "spaced", "full-width"])
def test_a_code_may_be_typed_with_spaces_and_full_width_digits(
    browser: TestApp, phone: Phone, style: str
) -> None:
    code = phone.code()
    if style == "spaced":
        typed = f"{code[:3]} {code[3:]}"
    elif style == "full-width":
        typed = code.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
    else:
        typed = style.format(code)
    assert sign_in_with_code(browser, typed).status_int == 303
    assert is_signed_in(browser)


@pytest.mark.parametrize(("steps", "status"), [(-2, 422), (-1, 303), (1, 303), (2, 422)])
def test_one_step_of_drift_is_allowed(
    browser: TestApp, phone: Phone, clock: Clock, steps: int, status: int
) -> None:
    clock.advance(5 * MINUTE)
    assert sign_in_with_code(browser, phone.code(steps)).status_int == status
    assert is_signed_in(browser) == (status == 303)


@pytest.mark.parametrize(
    "code", ["", " ", "000000", "12345", "1234567", "-12345", "１２", "\u0661" * 6, "é" * 300]
)
def test_what_is_no_code_gets_a_page_with_what_to_do(
    browser: TestApp, phone: Phone, code: str
) -> None:
    page = sign_in_with_code(browser, code)
    assert page.status_int == 422
    assert len(summary(page)) == 1
    assert not is_signed_in(browser)


def test_a_code_works_once(app: Router, browser: TestApp, phone: Phone, clock: Clock) -> None:
    code = phone.code()
    assert sign_in_with_code(browser, code).status_int == 303
    laptop = another_browser(app)
    page = sign_in_with_code(laptop, code)
    assert page.status_int == 422
    assert summary(page)[0].startswith("This code was used before")
    # An older code, which was never used, does not work after a newer one either.
    assert enter(laptop, phone.code(-1)).status_int == 422
    clock.advance(STEP)
    assert enter(laptop, phone.code()).status_int == 303


def test_the_code_that_turned_it_on_does_not_sign_in(
    browser: TestApp, phone: Phone, clock: Clock
) -> None:
    assert sign_in_with_code(browser, phone.code(-1)).status_int == 422


def test_a_recovery_code_signs_in_once_and_its_owner_is_told(
    app: Router, browser: TestApp, phone: Phone, database: Database, mailbox: Mailbox
) -> None:
    code = phone.recovery_codes[0]
    assert sign_in_with_code(browser, code).status_int == 303
    assert is_signed_in(browser)
    assert count(database, RecoveryCode) == 9
    email = mailbox.latest()
    assert email.subject == "A recovery code was used"
    assert "9 codes left" in " ".join((email.text_body or "").split())
    assert code not in (email.text_body or "")
    assert events(database)[-1] == ("recovery_code", "ok")
    laptop = another_browser(app)
    page = sign_in_with_code(laptop, code)
    assert page.status_int == 422
    assert "used before" in summary(page)[0]
    assert events(database)[-1] == ("recovery_code", "failed")


def test_case_spaces_hyphens_and_look_alikes_do_not_matter(browser: TestApp, phone: Phone) -> None:
    code = phone.recovery_codes[0]
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert sign_in_with_code(browser, typed).status_int == 303


def test_the_recovery_code_of_another_account_does_not_work(
    app: Router, browser: TestApp, phone: Phone, database: Database, clock: Clock
) -> None:
    add_account(database, BERTA)
    sign_in(browser, BERTA)
    bertas = turn_on(browser, clock)
    laptop = another_browser(app)
    assert sign_in_with_code(laptop, bertas.recovery_codes[0]).status_int == 422
    assert sign_in_with_code(laptop, bertas.code()).status_int == 422


@pytest.mark.parametrize("which", ["app", "recovery"])
def test_of_four_uses_of_one_code_at_once_one_wins(
    app: Router, phone: Phone, database: Database, which: str
) -> None:
    code = phone.code() if which == "app" else phone.recovery_codes[0]
    forms = []
    for _ in range(4):
        browser = another_browser(app)
        sign_in(browser)
        form = browser.get(CODE_PAGE).forms[0]
        form["code"] = code
        forms.append(form)
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 422, 422, 422]
    kind = "code" if which == "app" else "recovery_code"
    assert events(database).count((kind, "ok")) == 1
    with database.transaction(write=False) as session:
        waiting = session.scalars(select(SignInSession.awaits_code)).all()
    assert sorted(waiting) == [False, False, True, True, True]


def test_the_sixth_try_in_fifteen_minutes_is_refused_whatever_the_browser(
    app: Router, browser: TestApp, phone: Phone, database: Database, clock: Clock
) -> None:
    sign_in(browser)
    for _ in range(5):
        assert enter(browser, "000000").status_int == 422
    page = enter(browser, phone.code())
    assert page.status_int == 429
    assert page.headers["Retry-After"] == str(15 * 60)
    assert heading(page) == "Too many attempts"
    laptop = another_browser(app)
    assert sign_in_with_code(laptop, phone.recovery_codes[0]).status_int == 429
    codes = [event for event in events(database) if event[0] in ("code", "recovery_code")]
    assert codes == [("code", "failed")] * 5 + [("code", "refused")]
    clock.advance(15 * MINUTE)
    assert sign_in_with_code(laptop, phone.code()).status_int == 303


def test_many_tries_at_once_do_not_pass_the_limit(app: Router, phone: Phone) -> None:
    forms = []
    for _ in range(8):
        browser = another_browser(app)
        sign_in(browser)
        form = browser.get(CODE_PAGE).forms[0]
        form["code"] = "000000"
        forms.append(form)
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [422] * 5 + [429] * 3


def test_a_right_code_clears_the_count(app: Router, browser: TestApp, phone: Phone) -> None:
    sign_in(browser)
    for _ in range(4):
        enter(browser, "000000")
    assert enter(browser, phone.code()).status_int == 303
    laptop = another_browser(app)
    sign_in(laptop)
    for _ in range(5):
        assert enter(laptop, "000000").status_int == 422


def test_a_new_password_by_email_does_not_go_round_the_code(
    app: Router, browser: TestApp, phone: Phone, mailbox: Mailbox
) -> None:
    waiting = another_browser(app)
    sign_in(waiting)
    form = waiting.get(CODE_PAGE).forms[0]
    forgot_password(browser)
    post(browser, mailbox.link(mailbox.latest()), password=ANOTHER_PASSWORD)
    assert not is_signed_in(browser)
    page = sign_in(browser, password=ANOTHER_PASSWORD)
    assert CODE_PAGE in page.location
    assert not is_signed_in(browser)
    # A session that waited with the old password is over.
    form["code"] = phone.code()
    assert "/sign-in" in form.submit(status=303).location
    assert not is_signed_in(waiting)
    assert enter(browser, phone.code()).status_int == 303


def test_a_new_email_address_does_not_go_round_the_code(
    app: Router, browser: TestApp, phone: Phone, mailbox: Mailbox
) -> None:
    sign_in_with_code(browser, phone.code())
    post(browser, "/account/email", new_email=BERTA)
    link = mailbox.link(mailbox.latest(to=BERTA), "/account/email/")
    thief = another_browser(app)
    thief.get(link).forms[0].submit()
    assert not is_signed_in(thief)
    assert CODE_PAGE in sign_in(thief, BERTA).location
    assert not is_signed_in(thief)


def test_a_browser_is_known_only_after_the_code(
    app: Router, browser: TestApp, phone: Phone
) -> None:
    sign_in(browser)
    for _ in range(3):
        enter(browser, "000000")
    assert signed_in_to(app, browser) == []
    enter(browser, phone.code())
    assert len(signed_in_to(app, browser)) == 1


def signed_in_to(app: Router, browser: TestApp) -> list[str]:
    cookie = browser.cookies["pillarbox-visitor"].strip('"')
    serializer = visitor_serializer(app.registry.pillarbox.secret)
    return list(serializer.loads(cookie.encode()).signed_in_to)


def test_a_wrong_password_looks_the_same_with_and_without_a_second_factor(
    browser: TestApp, phone: Phone, database: Database
) -> None:
    add_account(database, BERTA)
    pages = [sign_in(browser, address, ANOTHER_PASSWORD) for address in (ANNA, BERTA)]
    assert [page.status_int for page in pages] == [422, 422]
    texts = [page.html.find("main").get_text() for page in pages]
    assert texts[0] == texts[1]


def test_signing_out_while_the_code_is_awaited_ends_the_waiting(
    browser: TestApp, phone: Phone, database: Database
) -> None:
    sign_in(browser)
    token = browser.get(CODE_PAGE).forms[0]["csrf_token"].value
    browser.post("/sign-out", {"csrf_token": token})
    assert browser.get(CODE_PAGE, status=303)
