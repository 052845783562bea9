"""Each turn of a purchase queues its email once, in the order's language, with its files."""

import secrets
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from pyramid.request import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.mail import Recipient
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.mail.testing import Mailbox
from app.previews.lint import Expected, lint
from app.shop import emails, money
from app.shop.emails import Notice
from app.shop.models import Document, Order, RefundOrigin, Withdrawal
from tests.shop.emails.conftest import NUMBER, ORDERED, PDF, TERMS, a_refund, an_order
from tests.support.databases import on_sqlite

# Nothing here depends on the database.
pytestmark = on_sqlite


def send_receipt(request: Request, session: Session, order: Order, **more: Any) -> None:
    receipt = order.receipt
    assert receipt is not None
    emails.send_purchase_receipt(request, session, order, order.payments[0], receipt, **more)


def send_refund(request: Request, session: Session, order: Order) -> None:
    refund, document = a_refund(session, order)
    emails.send_refund_receipt(request, session, order, refund, document)
    emails.send_refund_receipt(request, session, order, refund, document)


def twice(name: str) -> Any:
    """Calls a function of ``app.shop.emails`` that takes an order and its payment, twice."""

    def send(request: Request, session: Session, order: Order) -> None:
        for _ in range(2):
            getattr(emails, name)(request, session, order, order.payments[0])

    return send


def send_downloads(request: Request, session: Session, order: Order) -> None:
    emails.send_download_ready(request, session, order, consent_at=request.now)
    emails.send_download_ready(request, session, order, consent_at=None)


def send_withdrawal(request: Request, session: Session, order: Order) -> None:
    withdrawal = a_withdrawal(session, order)
    emails.send_withdrawal_received(request, session, withdrawal, order)
    emails.send_withdrawal_received(request, session, withdrawal, order)


def send_receipt_twice(request: Request, session: Session, order: Order) -> None:
    send_receipt(request, session, order)
    send_receipt(request, session, order)


def a_withdrawal(session: Session, order: Order | None, **values: Any) -> Withdrawal:
    withdrawal = Withdrawal(
        **{
            "token": secrets.token_hex(16),
            "order_id": order.id if order else None,
            "order_number": NUMBER,
            "name": "Anna Ödegård",
            "email": "anna@example.org",
            "positions": [1, 2],
            "locale": "en",
            "received_at": ORDERED + timedelta(days=1),
            "request_id": "test",
        }
        | values
    )
    session.add(withdrawal)
    session.flush()
    return withdrawal


SENDERS = {
    "purchase_receipt": send_receipt_twice,
    "payment_pending": twice("send_payment_pending"),
    "payment_failed": twice("send_payment_failed"),
    "refund_receipt": send_refund,
    "download_ready": send_downloads,
    "withdrawal_received": send_withdrawal,
}


@pytest.mark.parametrize("kind", SENDERS)
def test_each_email_goes_once_in_the_orders_language(
    nobody: Request, writing: Any, mailbox: Mailbox, kind: str
) -> None:
    with writing() as session:
        SENDERS[kind](nobody, session, an_order(session))

    [email] = mailbox.all()
    assert (email.kind, email.locale) == (kind, "de")
    assert email.recipient == "anna@example.org"
    assert email.about.startswith("order:")
    assert NUMBER in email.subject
    assert NUMBER in email.text_body


@pytest.mark.parametrize("kind", SENDERS)
def test_what_is_rolled_back_sends_nothing(
    nobody: Request, writing: Any, mailbox: Mailbox, kind: str
) -> None:
    def fails_afterwards() -> None:
        with writing() as session:
            SENDERS[kind](nobody, session, an_order(session))
            assert session.scalar(select(func.count()).select_from(OutboxEmail)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_afterwards()
    assert mailbox.all() == []


def parsed(email: OutboxEmail) -> EmailMessage:
    message = message_from_bytes(message_bytes(email), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_receipt_brings_its_pdf_and_the_terms(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        send_receipt(nobody, session, an_order(session))

    email = mailbox.latest()
    pdf, terms = parsed(email).iter_attachments()
    assert pdf.get_filename() == "Beleg-2026-000042.pdf"
    assert pdf.get_content() == PDF
    assert terms.get_filename() == "AGB.txt"
    assert terms.get_content().replace("\r\n", "\n") == TERMS
    assert "Der Beleg als PDF und unsere AGB sind angehängt." in email.text_body


def test_a_receipt_without_its_pdf_goes_out_all_the_same(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        order = an_order(session, terms="", locale="en")
        document = session.scalars(select(Document)).one()
        document.pdf = None
        session.flush()
        send_receipt(nobody, session, order)

    email = mailbox.latest()
    assert email.attachments == []
    assert "attached" not in email.text_body


def said(email: OutboxEmail) -> str:
    return " ".join((email.text_body or "").split())


def test_the_receipt_confirms_the_contract(nobody: Request, writing: Any, mailbox: Mailbox) -> None:
    """Directive 2011/83/EU, Article 8(7): everything stands in the email itself."""
    with writing() as session:
        send_receipt(nobody, session, an_order(session, locale="en"))

    text = said(mailbox.latest())
    for fact in (
        "Briefe GmbH, Lange Straße 1, 12345 Musterstadt, Germany",
        "hilfe@example.org, +49 30 1234567",
        "DE123456789",
        "Amtsgericht Musterstadt, HRB 1",
        "Anna Ödegård, Storgatan 1, 111 22 Stockholm, Sweden",
        "Die Kunst des Briefs",
        "PDF, 160 Seiten",
        "VAT 19% on €20.17 €3.83",
        "You asked us on Nov 22, 2026, 5:49 PM UTC to start your download at once",
        "you know that you lose your right of withdrawal when it begins",
        "You can withdraw from this contract until December 6, 2026",
        "<http://localhost/withdraw>",
        "I hereby withdraw from my contract for the supply of the following digital content",
        "On your card statement BRIEFE",
    ):
        assert fact in text, fact


def test_without_consent_the_receipt_says_when_the_downloads_open(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        order = an_order(session, locale="en", consent_at=None, opened_at=None)
        send_receipt(nobody, session, order)

    text = said(mailbox.latest())
    assert "Your downloads open on December 7, 2026" in text
    assert "To open them sooner, press the button on the page of your order." in text
    assert "You asked us" not in text


def test_the_sentence_of_an_exempt_seller_stands_in_the_place_of_vat(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    sentence = "As a small business, we charge no VAT."
    with writing() as session:
        order = an_order(session, locale="en", seller_vat_id="", vat_sentence=sentence)
        send_receipt(nobody, session, order)

    text = said(mailbox.latest())
    assert sentence in text
    assert "VAT" not in text.replace(sentence, "")
    assert "Net" not in text


def test_a_copy_says_that_it_is_one(nobody: Request, writing: Any, mailbox: Mailbox) -> None:
    with writing() as session:
        order = an_order(session, locale="en")
        send_receipt(nobody, session, order)
        key = f"{emails.receipt_key(order)}#2"
        send_receipt(nobody, session, order, key=key, copy_to="new@example.org")

    first, copy = mailbox.all()
    assert "copy" not in said(first)
    assert (first.recipient, copy.recipient) == ("anna@example.org", "new@example.org")
    assert copy.subject == f"Copy of the receipt for order {NUMBER}"
    assert "This is a copy of your receipt." in said(copy)
    assert "Sent because you asked for this receipt again." in said(copy)


@pytest.mark.parametrize(
    ("refund", "words"),
    [
        ({}, "We refund a part of your order DB5S-XSA9-89Q8: - Die Kunst des Briefs"),
        ({"position": None, "amount": 2400}, "We refund the whole of your order"),
        ({"position": None, "amount": 500}, "We refund a part of the €24.00 that you paid"),
        ({"origin": RefundOrigin.WITHDRAWAL}, "You withdrew from a part of your order"),
        (
            {"origin": RefundOrigin.PAID_TWICE, "position": None, "amount": 2400},
            "was paid already when a second payment came in",
        ),
    ],
)
def test_the_refund_says_of_what_and_why(
    nobody: Request, writing: Any, mailbox: Mailbox, refund: dict[str, Any], words: str
) -> None:
    with writing() as session:
        order = an_order(session, locale="en")
        made, document = a_refund(session, order, **refund)
        taxes = [money.Tax(1900, 1200, 192)]
        emails.send_refund_receipt(nobody, session, order, made, document, taxes=taxes)

    email = mailbox.latest()
    assert words in said(email)
    assert "The reason: Die Datei war beschädigt." in said(email)
    assert "On a card it is there in 5 to 10 days" in said(email)
    assert "Refund 2026-000043" in said(email)
    assert "VAT 19% €1.92" in said(email)
    names_receipt = "Corrects receipt 2026-000042" in said(email)
    assert names_receipt == (made.origin != RefundOrigin.PAID_TWICE)
    [pdf] = parsed(email).iter_attachments()
    assert pdf.get_filename() == "refund-2026-000043.pdf"


def test_open_downloads_confirm_the_consent_that_opened_them(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        order = an_order(session, locale="en")
        consent_at = ORDERED + timedelta(days=2)
        emails.send_download_ready(nobody, session, order, consent_at=consent_at)

    email = mailbox.latest()
    assert "You asked us on Nov 24, 2026, 5:49 PM UTC" in said(email)
    assert "you can still withdraw until December 6, 2026" in said(email)
    assert "/files/" not in email.html_body


def test_a_test_payment_says_so_in_every_email_about_it(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        order = an_order(session, locale="en")
        order.payments[0].livemode = False
        session.flush()
        for kind, send in SENDERS.items():
            if kind != "withdrawal_received":
                send(nobody, session, order)

    written = mailbox.all()
    assert len(written) == len(SENDERS) - 1
    for email in written:
        assert "Test payment: nothing was charged." in said(email), email.kind


@pytest.mark.parametrize("what", Notice)
def test_a_notice_goes_once_to_the_shop_with_a_command(
    nobody: Request, writing: Any, mailbox: Mailbox, what: Notice
) -> None:
    with writing() as session:
        order = an_order(session)
        for reference in ("17", "17", "18"):
            emails.send_shop_notice(nobody, session, what, reference, order=order, reason="why")

    first, second = mailbox.all()
    assert {first.recipient, second.recipient} == {"help@example.org"}
    assert first.key == f"shop_notice:{what}:17"
    assert first.locale == "en"
    assert "pillarbox " in said(first)
    if what in (Notice.PAYMENT_HELD, Notice.WITHDRAWAL_TO_DECIDE, Notice.RECEIPT_NOT_SENT):
        assert said(first).count("17") >= 2


@pytest.mark.parametrize("kind", SENDERS)
def test_the_lint_accepts_what_is_sent_with_its_files(
    app: Any, nobody: Request, writing: Any, mailbox: Mailbox, kind: str
) -> None:
    with writing() as session:
        order = an_order(session)
        SENDERS[kind](nobody, session, order)

    email = mailbox.latest()
    composed = app.registry.email_kinds.get(kind)
    to = Recipient(email.recipient, email.recipient_name, email.locale)
    settings = app.registry.pillarbox
    sender = settings.email.sender.address
    context = composed.samples["short"]
    findings = lint(message_bytes(email), Expected(composed, context, to, settings.site, sender))
    assert [finding for finding in findings if finding.rule != "A12"] == []
