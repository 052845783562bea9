"""The acknowledgement of a withdrawal repeats it to the customer, and nothing to a stranger."""

from typing import Any

import pytest
from pyramid.request import Request

from app.mail.testing import Mailbox
from app.shop.emails import send_withdrawal_received
from tests.shop.emails.conftest import NUMBER, an_order
from tests.shop.emails.test_sending import a_withdrawal, said

TYPED = "Buy now at https://evil.example"


def test_the_customer_gets_back_what_was_declared(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        order = an_order(session, locale="en")
        withdrawal = a_withdrawal(session, order, positions=[2], name="Anna Ö.")
        send_withdrawal_received(nobody, session, withdrawal, order)

    email = mailbox.latest()
    assert email.subject == f"Withdrawal received for order {NUMBER}"
    for fact in (
        "reached us on Nov 23, 2026, 5:49 PM UTC",
        "confirms that we received it, and does not decide about it yet",
        "about these items of the order: Zwölf Postkarten",
        "Name Anna Ö.",
        "anna@example.org",
    ):
        assert fact in said(email), fact
    assert "Die Kunst des Briefs" not in said(email)


def test_a_withdrawal_from_everything_names_the_whole_order(
    nobody: Request, writing: Any, mailbox: Mailbox
) -> None:
    with writing() as session:
        order = an_order(session, locale="en")
        send_withdrawal_received(nobody, session, a_withdrawal(session, order), order)

    assert "I withdraw from my contract about the whole order." in said(mailbox.latest())


@pytest.mark.parametrize("number", [NUMBER, "db5sxsa989q8", "EVIL-SHOP-COM", "www.evil.de"])
def test_a_stranger_gets_none_of_the_words_that_were_typed(
    nobody: Request, writing: Any, mailbox: Mailbox, number: str
) -> None:
    """STANDARDS A15: the address may belong to somebody who has never been here."""
    with writing() as session:
        withdrawal = a_withdrawal(
            session,
            None,
            order_number=number,
            name=TYPED,
            email="stranger@example.org",
            locale="de",
        )
        send_withdrawal_received(nobody, session, withdrawal, None)

    email = mailbox.latest()
    assert (email.recipient, email.recipient_name, email.locale) == (
        "stranger@example.org",
        "",
        "de",
    )
    everything = f"{email.subject} {email.text_body} {email.html_body}".casefold()
    assert "evil" not in everything
    assert "anna" not in everything
    assert (NUMBER in email.subject) == (number.replace("-", "").upper() == "DB5SXSA989Q8")


def test_strangers_cannot_fill_an_inbox_and_do_not_hold_up_its_owner(
    nobody: Request, writing: Any, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.limits.asker", lambda request: "192.0.2.1/a-browser")
    with writing() as session:
        for _ in range(25):
            send_withdrawal_received(nobody, session, a_withdrawal(session, None), None)
    assert [email.state for email in mailbox.all()].count("throttled") == 5

    monkeypatch.setattr("app.web.limits.asker", lambda request: "192.0.2.2/another")
    with writing() as session:
        send_withdrawal_received(nobody, session, a_withdrawal(session, None), None)
        order = an_order(session)
        send_withdrawal_received(nobody, session, a_withdrawal(session, order), order)
    assert [email.state for email in mailbox.all()][25:] == ["captured", "captured"]
