"""An email in a language that is written from right to left, with a catalogue of the test's own."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from pyramid.router import Router

from app.mail import Message, Recipient
from app.mail.composing.composer import Composer
from app.shop.emails import PURCHASE_RECEIPT
from tests.support.databases import on_sqlite

pytestmark = on_sqlite

ARABIC = Path(__file__).with_name("locale")


@pytest.fixture
def composer(app: Router) -> Composer:
    """A composer that also composes in Arabic."""
    app.registry.languages.add(ARABIC)
    composer: Composer = app.registry.email_composer
    return composer


def receipt(composer: Composer, locale: str) -> Message:
    sample = PURCHASE_RECEIPT.samples["scripts"]
    to = Recipient("ada@example.org", locale=locale)
    return composer.compose(PURCHASE_RECEIPT, sample, to=to, about="order:1", strictly=True)


def parsed(composer: Composer, locale: str) -> BeautifulSoup:
    return BeautifulSoup(receipt(composer, locale).html or "", "html.parser")


def style(element: Tag | None) -> dict[str, str]:
    assert element is not None
    rules = (rule.partition(":") for rule in str(element["style"]).split(";") if ":" in rule)
    return {name.strip(): value.strip() for name, _, value in rules}


@pytest.mark.parametrize(
    ("locale", "language", "direction"),
    [("ar_EG", "ar", "rtl"), ("ar", "ar", "rtl"), ("en", "en", "ltr"), ("he", "en", "ltr")],
)
def test_the_page_and_the_letter_say_language_and_direction(
    composer: Composer, locale: str, language: str, direction: str
) -> None:
    page = parsed(composer, locale)
    for element in (page.html, page.select_one("table.letter")):
        assert element is not None
        assert (element["lang"], element["dir"]) == (language, direction)
    # Only people's own words have a direction of their own.
    turned = {element.name for element in page.select("[dir]") if element["dir"] != direction}
    assert turned <= {"span"}


@pytest.mark.parametrize(
    ("locale", "start", "end"), [("ar", "right", "left"), ("en", "left", "right")]
)
def test_labels_begin_where_the_language_begins(
    composer: Composer, locale: str, start: str, end: str
) -> None:
    page = parsed(composer, locale)
    labels = page.select("table.facts th, table.lines tfoot th, table.lines thead th:first-child")
    assert len(labels) > 8
    assert {label["align"] for label in labels} == {start}
    _, right, _, left = style(page.select_one("table.facts th"))["padding"].split()
    assert {"right": right, "left": left}[start] == "0"
    assert {"right": right, "left": left}[end] == "24px"


def test_amounts_stay_below_each_other(composer: Composer) -> None:
    for locale in ("ar", "en"):
        amounts = parsed(composer, locale).select("table.lines td:last-child")
        assert {amount["align"] for amount in amounts} == {"right"}


def test_peoples_words_run_in_their_own_direction(composer: Composer) -> None:
    sample = PURCHASE_RECEIPT.samples["scripts"]
    for locale in ("ar", "en"):
        isolated = [span.get_text() for span in parsed(composer, locale).select("span[dir=auto]")]
        for words in (sample.buyer.name, *sample.buyer.address, *(x.name for x in sample.lines)):
            assert words in isolated


def test_subject_and_text_are_arabic_and_columns_stand(composer: Composer) -> None:
    message = receipt(composer, "ar")
    assert message.to.locale == "ar"
    assert message.subject.startswith("إيصال الطلب ")
    text = message.text or ""
    assert "شكرًا على طلبك" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
    heads = [line for line in text.splitlines() if line.startswith(("الصنف", "المجموع"))]
    assert len(heads) == 2
