"""Every word that people read comes from a catalogue or is data.

A made-up translation puts each text into ⟦these marks⟧. What stands outside of them, in an email or
on a page, has to be data, such as a name or an address.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from bs4 import BeautifulSoup, Comment, Doctype
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.i18n import formats
from app.mail import Recipient
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    heading,
    post,
    sign_in,
    sign_up,
)
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.sample_catalogue import CATALOGUE
from tests.support.sample_kinds import KINDS
from tests.support.second_factor import PAGE as SECOND_FACTOR
from tests.support.second_factor import start_set_up
from tests.support.shopping import BUYER, decide, fail, put_into_basket, stock
from tests.support.texts import forms, texts, write_catalogue

MARKED_LANGUAGE = "eo"
"""Esperanto: Babel knows its plurals, and we have no catalogue for it."""
MARKED = re.compile("⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[^\W\d_]{2,}")
HEARD = ("alt", "aria-label", "data-hide", "data-show", "placeholder", "title")


@pytest.fixture
def app(
    make_app: MakeApp,
    settings_values: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Router:
    """The application with the marked language. What Babel writes is marked too."""
    for name in ("money", "percent", "date", "date_time", "duration", "country"):
        monkeypatch.setattr(formats, name, lambda *values, **options: "⟦formatted⟧")
    catalogue = Catalog(MARKED_LANGUAGE)
    for message in texts():
        if message.id:
            marked = [f"⟦{text}⟧" for text in forms(message.id)]
            catalogue.add(message.id, marked if message.pluralizable else marked[0])
    write_catalogue(tmp_path / "locale", MARKED_LANGUAGE, catalogue)
    app = make_app(settings_values)
    app.registry.languages.add(tmp_path / "locale")
    return app


@pytest.fixture
def browser(app: Router) -> TestApp:
    """A browser whose owner reads that language."""
    return another_browser(app, HTTP_ACCEPT_LANGUAGE=MARKED_LANGUAGE)


def unmarked(html: str, data: str) -> list[str]:
    """The words that people see or hear and that neither a catalogue nor ``data`` has."""
    page = BeautifulSoup(html, "html.parser")
    for silent in page.find_all(["script", "style"]):
        silent.decompose()
    # A marked text that has a link in it spreads over several nodes.
    seen = "\n".join(t for t in page.find_all(string=True) if type(t) not in (Comment, Doctype))
    heard = [str(element[name]) for name in HEARD for element in page.select(f"[{name}]")]
    words = WORD.findall("\n".join(map(without_marks, [seen, *heard])))
    return [word for word in words if word not in data]


def without_marks(text: str) -> str:
    """``text`` without what is marked, and without marks inside of marks."""
    while (shorter := MARKED.sub(" ", text)) != text:
        text = shorter
    return text


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "sample"), [(kind, sample) for kind in KINDS for sample in KINDS[kind].samples]
)
def test_every_word_of_every_email_is_translated_or_data(
    app: Router, kind: str, sample: str
) -> None:
    context = KINDS[kind].samples[sample]
    to = Recipient("ada@example.org", locale=MARKED_LANGUAGE)
    message = app.registry.email_composer.compose(KINDS[kind], context, to=to, about="sample:1")
    site = app.registry.pillarbox.site
    data = f"{context} {site.name} {site.base_url} {site.support_email} \u202egnirts\u202c"
    assert unmarked(message.html or "", data) == []
    assert [word for word in WORD.findall(without_marks(message.subject)) if word not in data] == []
    assert "⟦" in message.subject
    assert "⟦" in (message.text or "")


def pages(browser: TestApp, mailbox: Mailbox, clock: Clock) -> Iterator[TestResponse]:
    """The pages of a customer's way, with some mistakes."""
    yield browser.get("/")
    yield browser.get("/no-such-page", status=404)
    yield browser.post("/sign-out", status=400)
    yield browser.get("/basket")
    yield browser.get("/sign-up")
    yield post(browser, "/sign-up", email="anna@", password="short")
    yield post(browser, "/sign-up", email=ANNA, password="anna@example.org")
    yield sign_up(browser).follow()
    yield browser.get("/sign-up/sent").forms[0].submit().follow()
    link = mailbox.link(mailbox.latest(), "/confirm/")
    sent = browser.get("/sign-up/sent")
    yield [sent.forms[0].submit(expect_errors=True) for _ in range(3)][-1]
    phone = another_browser(browser.app, HTTP_ACCEPT_LANGUAGE=MARKED_LANGUAGE)
    yield phone.get(link)
    yield post(phone, link, password="not the right one")
    yield phone.get(link).click(href="password=new")
    yield browser.get(link)
    yield browser.get(link).forms[0].submit().follow()
    yield browser.get(link, status=410)
    yield browser.get("/confirm/nothing", status=404)
    yield browser.get("/sign-in?next=/basket")
    yield sign_in(browser, password=ANOTHER_PASSWORD)
    yield browser.get("/forgot-password")
    yield post(browser, "/forgot-password", email=ANNA).follow()
    link = mailbox.link(mailbox.latest(), "/reset-password/")
    yield browser.get(link)
    yield post(browser, link, password="")
    clock.advance(timedelta(hours=1))
    yield browser.get(link, status=410)
    sign_in(browser, password=PASSWORD)
    yield browser.get("/account")
    yield browser.get("/account/preferences")
    yield browser.get("/account/emails")
    yield browser.get("/account/emails?before=1")
    yield browser.get("/orders")
    yield browser.get("/products/envelopes")
    yield put_into_basket(browser, "envelopes", "some")
    yield put_into_basket(browser, "envelopes", 2).follow()
    yield put_into_basket(browser, "letters-to-nobody").follow()
    yield browser.get("/products/envelopes")
    yield browser.get("/checkout")
    yield post(browser, "/checkout", name="", address="")
    payment = post(browser, "/checkout", **BUYER).follow()
    yield payment
    yield decide(payment, "decline")
    failed = fail(payment, clock)
    yield failed
    payment = failed.forms[0].submit().follow()
    yield decide(payment, "close").follow()
    yield browser.get(failed.request.path)
    yield browser.get("/orders")


def second_factor_pages(browser: TestApp, clock: Clock) -> Iterator[TestResponse]:
    """The pages of a member of staff who sets up the second factor and looks at an account."""
    sign_in(browser)
    yield browser.get("/account")
    yield browser.get(SECOND_FACTOR)
    phone = start_set_up(browser, clock)
    yield browser.get(SECOND_FACTOR)
    yield post(browser, SECOND_FACTOR, code="12345")
    yield post(browser, SECOND_FACTOR, code=phone.code())
    yield browser.get(SECOND_FACTOR)
    yield browser.get(f"{SECOND_FACTOR}/recovery-codes")
    yield post(browser, f"{SECOND_FACTOR}/turn-off", code=phone.code())
    laptop = another_browser(browser.app, HTTP_ACCEPT_LANGUAGE=MARKED_LANGUAGE)
    page = sign_in(laptop).follow()
    yield page
    yield page.click(href="with=recovery_code")
    yield post(laptop, "/sign-in/code", code="no such recovery code")
    yield browser.get("/staff")
    yield post(browser, "/staff", email="nobody@example.org")
    yield browser.get("/staff/accounts/1")
    yield browser.get("/staff/accounts/1").forms[0].submit().follow()


@on_sqlite
def test_every_word_about_the_second_factor_is_translated_or_data(
    app: Router, browser: TestApp, clock: Clock
) -> None:
    add_account(app.registry.database, is_staff=True, locale=MARKED_LANGUAGE)
    data = f"{ANNA} nobody@example.org Pillarbox English Deutsch Esperanto help@example.org"
    for page in second_factor_pages(browser, clock):
        codes = " ".join(code.get_text() for code in page.html.find_all("code"))
        assert unmarked(page.text, f"{data} {codes}") == [], page.request.path


@on_sqlite
def test_every_word_of_the_pages_is_translated_or_data(
    app: Router, browser: TestApp, mailbox: Mailbox, clock: Clock
) -> None:
    stock(app.registry.database)
    data = " ".join(map(str, [CATALOGUE, BUYER, ANNA, "Pillarbox English Deutsch Esperanto"]))
    data += " help@example.org shop@example.org Sample Street Sampleton XX123456789"
    data += " PILLARBOX SAMPLE Test card VISA PDF These are the terms of an invented shop."
    for page in pages(browser, mailbox, clock):
        order_numbers = " ".join(re.findall(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){2}", page.text))
        assert page.html.html["lang"] == MARKED_LANGUAGE
        assert unmarked(page.text, f"{data} {order_numbers}") == [], page.request.path


def test_a_word_outside_of_the_marks_is_noticed() -> None:
    html = (
        '<title>⟦A ⟦b⟧ c⟧</title><p aria-label="Loud">⟦Said⟧ unsaid Anna</p><script>var x</script>'
    )
    assert unmarked(html, "Anna") == ["unsaid", "Loud"]


@on_sqlite
def test_the_marks_reach_the_page(browser: TestApp) -> None:
    assert heading(browser.get("/sign-in")) == "⟦Sign in⟧"
