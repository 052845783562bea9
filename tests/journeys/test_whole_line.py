"""A customer signs up, resets the password and buys; each step brings the right email."""

import re

from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.journey import ADDRESS, EMAILS, walk
from tests.support.shopping import stock


def test_each_act_of_a_customer_brings_its_email(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    stock(database)
    order = walk(browser, lambda kind: mailbox.latest(to=ADDRESS, kind=kind).text_body or "")
    assert [email.kind for email in mailbox.all()] == EMAILS
    number = re.search(r"/orders/([0-9A-Z-]+)", order.request.path)
    assert number
    assert number[1] in mailbox.latest(kind="purchase_receipt").subject
    assert {email.state for email in mailbox.all()} == {"captured"}
