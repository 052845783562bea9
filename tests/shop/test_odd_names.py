"""Names that are hard to write: typed at the checkout, and followed to page, PDF and email."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

from bs4 import BeautifulSoup
from webtest import TestApp

from app.database.engine import Database
from app.mail.smtp.mime import message_bytes
from app.mail.testing import Mailbox
from tests.support.accounts import ANNA
from tests.support.pdf_text import text_of, without_spaces
from tests.support.shopping import order, orders_in, put_into_basket

SCRIPTS = "山田 太郎 😀"
CODE = 'Ødegård #panic("x") $x$ *b* <b> & {{ 1 }}'
NAME = f"{SCRIPTS} {CODE}"
ADDRESS = ("#panic()", "https://example.org/@preview \\ //")


def test_a_name_in_any_script_or_code_is_the_same_on_page_pdf_and_email(
    customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    put_into_basket(customer, "letter-paper")
    # No browser lets anybody type this character, and PostgreSQL stores none.
    assert order(customer, name="Anna\0").status_int == 400
    assert not orders_in(database)

    payment_page = order(customer, name=NAME, address="\n".join(ADDRESS)).follow()
    page = payment_page.forms[0].submit().follow()

    [placed] = orders_in(database)
    assert placed.buyer_name == NAME
    email = mailbox.latest(kind="purchase_receipt")
    written = message_bytes(email)
    to = decode_header(message_from_bytes(written)["To"])
    assert str(make_header(to)) == f"{NAME} <{ANNA}>"
    sent = message_from_bytes(written, policy=policy.default)
    assert isinstance(sent, EmailMessage)
    pdf = customer.get(f"/orders/{placed.number}/receipt.pdf").body
    assert pdf in [part.get_content() for part in sent.iter_attachments()]
    # Whether the PDF shows other scripts depends on the fonts of this machine.
    for words in (CODE, *ADDRESS):
        assert without_spaces(words) in text_of(pdf), words
    shown = {
        "page": page.html.main.text,
        "text": email.text_body or "",
        "HTML": BeautifulSoup(email.html_body or "", "html.parser").text,
    }
    for where, text in shown.items():
        for words in (NAME, *ADDRESS):
            assert without_spaces(words) in without_spaces(text), (where, words)
