"""The purchase receipt, every sample of it, as it is really rendered."""

import json
import re
from dataclasses import replace
from datetime import UTC

import pytest
from bs4 import BeautifulSoup
from jinja2 import FileSystemLoader

from app.mail import Message, Recipient
from app.mail.composing.composer import Composer
from app.settings.declarations import Brand, Site
from app.shop.emails import MAX_OFFERS, PURCHASE_RECEIPT, PurchaseReceipt
from app.templates_folder import templates_folder

SITE = Site("Pillarbox", "https://shop.example", "help@shop.example", UTC, None, ())
BRAND = Brand("Pillarbox", "#b3261e", "#f4f1ec", "sans-serif")
SAMPLES = sorted(PURCHASE_RECEIPT.samples)


@pytest.fixture(scope="module")
def composer() -> Composer:
    composer = Composer(SITE, BRAND, FileSystemLoader(templates_folder()))
    composer.raises = True
    return composer


def composed(composer: Composer, name: str) -> tuple[PurchaseReceipt, Message]:
    sample: PurchaseReceipt = PURCHASE_RECEIPT.samples[name]
    to = Recipient("anna@example.org", sample.buyer.name)
    return sample, composer.compose(PURCHASE_RECEIPT, sample, to=to, about="order:1")


def squeezed(text: str) -> str:
    """``text`` without what wrapping adds and without marks that turn the direction of writing."""
    return re.sub(r"[\s\u202a-\u202e\u2066-\u2069]+", "", text)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sums_of_every_sample_agree(name: str) -> None:
    sample: PurchaseReceipt = PURCHASE_RECEIPT.samples[name]

    assert sum(line.total for line in sample.lines) == sample.total
    assert sum(tax.net for tax in sample.taxes) == sample.net
    assert sum(tax.net + tax.vat for tax in sample.taxes) == sample.total


@pytest.mark.parametrize("name", SAMPLES)
def test_the_subject_names_the_order(composer: Composer, name: str) -> None:
    sample, message = composed(composer, name)

    title = "Copy of the receipt" if sample.is_copy else "Receipt"
    assert message.subject == f"{title} for order {sample.order_number}"


@pytest.mark.parametrize("name", SAMPLES)
def test_both_bodies_carry_every_line_and_fact(composer: Composer, name: str) -> None:
    sample, message = composed(composer, name)
    assert message.html is not None
    assert message.text is not None
    html = BeautifulSoup(message.html, "html.parser").body.get_text(" ")

    for body in (html, message.text):
        # In the text, the amount stands beside the first line of a name that takes several.
        seen = squeezed(body) + squeezed(re.sub(r" {2,}\S+$", "", body, flags=re.MULTILINE))
        facts = [
            *(line.name for line in sample.lines),
            sample.order_number,
            sample.receipt_number,
            *(line.format for line in sample.lines),
            sample.buyer.name,
            *sample.buyer.address,
            sample.seller.name,
            *sample.seller.address,
            sample.seller.email,
            sample.seller.phone,
            sample.seller.vat_id,
            sample.seller.register,
            sample.vat_sentence,
        ]
        for fact in facts:
            assert squeezed(fact) in seen, fact
    assert sample.link in message.text
    assert f'href="{sample.link}"' in message.html


@pytest.mark.parametrize("name", SAMPLES)
def test_the_order_for_machines_can_be_read_and_ends_no_script(
    composer: Composer, name: str
) -> None:
    sample, message = composed(composer, name)
    assert message.html is not None

    head = message.html.split("</head>")[0]
    [script] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', head, re.DOTALL)

    assert "<" not in script
    found = json.loads(script)
    assert found["merchant"] == {"@type": "Organization", "name": sample.seller.name}
    assert found["orderNumber"] == sample.order_number
    assert found["priceCurrency"] == sample.currency
    assert found["price"] == f"{sample.total // 100}.{sample.total % 100:02}"
    assert [offer["itemOffered"]["name"] for offer in found["acceptedOffer"]] == [
        line.name for line in sample.lines[:MAX_OFFERS]
    ]
    assert found["url"] == sample.link


@pytest.mark.parametrize(
    ("currency", "price", "shown"),
    [("RSD", "12345.00", "RSD12,345"), ("IQD", "1234.500", "IQD1,234.500")],
)
def test_amounts_are_scaled_by_the_currency_for_people_and_machines(
    composer: Composer, currency: str, price: str, shown: str
) -> None:
    line = replace(PURCHASE_RECEIPT.samples["short"].lines[0], quantity=1, unit_price=1_234_500)
    sample = replace(
        PURCHASE_RECEIPT.samples["short"], currency=currency, lines=(line,), total=1_234_500
    )
    to = Recipient("anna@example.org")
    message = composer.compose(PURCHASE_RECEIPT, sample, to=to, about="order:1")

    assert sample.structured_data["price"] == price
    assert sample.structured_data["acceptedOffer"][0]["price"] == price
    assert message.text is not None
    assert shown in message.text


def test_words_of_people_become_no_markup(composer: Composer) -> None:
    _, message = composed(composer, "hostile")
    assert message.html is not None

    page = BeautifulSoup(message.html, "html.parser")

    assert not page.body.find_all(["script", "img", "i", "b"])
    assert "{{ 7*7 }}" in page.body.get_text()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_preview_line_says_more_than_the_heading(composer: Composer, name: str) -> None:
    _, message = composed(composer, name)
    assert message.html is not None

    preview = BeautifulSoup(message.html, "html.parser").find(class_="preheader").get_text()

    assert 30 <= len(preview.strip()) <= 140
    assert "Thank you" not in preview


def test_a_receipt_over_two_rates_says_which_line_has_which(composer: Composer) -> None:
    _, message = composed(composer, "long")
    assert message.text is not None

    assert "(VAT 7%)" in message.text
    assert "(VAT 19%)" in message.text


def test_a_receipt_of_five_lines_is_small(composer: Composer) -> None:
    long = PURCHASE_RECEIPT.samples["long"]
    five = replace(long, lines=long.lines[:5])
    to = Recipient("anna@example.org")

    message = composer.compose(PURCHASE_RECEIPT, five, to=to, about="order:1")

    assert message.html is not None
    assert len(message.html.encode()) <= 15 * 1024
