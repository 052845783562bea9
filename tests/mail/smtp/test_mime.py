"""The standard library parses the bytes that ``mime`` writes into the same message."""

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default as modern_policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail.addresses import BadAddress
from app.mail.outbox.tables import EmailAttachment, OutboxEmail
from app.mail.smtp.mime import message_bytes, quoted_printable

# Control characters never get as far as a row's headers: EmailService refuses them.
header_text = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=200
).filter(lambda text: "=?" not in text)
body_text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))


def email(**values: Any) -> OutboxEmail:
    defaults: dict[str, Any] = {
        "sender": "Pillarbox <shop@example.org>",
        "recipient_name": "",
        "recipient": "ada@example.org",
        "reply_to": "help@example.org",
        "subject": "Your order",
        "html_body": "<p>Hello</p>\n",
        "text_body": "Hello\n",
        "message_id": "<abc@example.org>",
        "locale": "en",
        "created_at": datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        "attachments": [],
    }
    return OutboxEmail(**(defaults | values))


def parsed(row: OutboxEmail) -> EmailMessage:
    message = message_from_bytes(message_bytes(row), policy=modern_policy)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert part.defects == []
    return message


def decoded(message: bytes, name: str) -> str:
    """A header as a mail program shows it; the standard library's older decoder is more exact."""
    raw = message_from_bytes(message)[name]
    return str(make_header(decode_header(re.sub(r"\r\n([ \t])", r"\1", raw))))


@given(subject=header_text, name=header_text)
def test_headers_read_back_as_they_were_and_lines_stay_short(subject: str, name: str) -> None:
    message = message_bytes(email(subject=subject, recipient_name=name))
    assert decoded(message, "Subject").strip() == subject.strip() or subject.isspace()
    head = message.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    words = max((len(word) for word in subject.split(" ")), default=0)
    assert max(map(len, head.split(b"\r\n"))) <= max(78, words + 9)
    shown = decoded(message, "To")
    assert shown.endswith("<ada@example.org>")


@given(text=body_text, html=body_text)
def test_bodies_read_back_as_they_were(text: str, html: str) -> None:
    message = parsed(email(text_body=text, html_body=html))
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    for part, body in zip(parts, (text, html), strict=True):
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert payload.decode() == re.sub("\r\n?|\n", "\r\n", body)


@given(text=body_text)
def test_quoted_printable_has_no_bare_line_ends_and_no_line_over_76(text: str) -> None:
    encoded = quoted_printable(text)
    assert encoded.isascii()
    assert b"\r" not in encoded.replace(b"\r\n", b"")
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    assert max(map(len, encoded.split(b"\r\n"))) <= 76


@given(
    content=st.binary(max_size=500),
    # The standard library's reader strips these from both ends, white space of every alphabet.
    filename=header_text.map(lambda text: re.sub(r'^[\s<>"]+|[\s<>"]+$', "", text) or "x"),
)
def test_attachments_read_back_with_their_names(content: bytes, filename: str) -> None:
    attachment = EmailAttachment(
        filename=filename, content_type="application/pdf", content=content, position=0
    )
    message = parsed(email(attachments=[attachment]))
    assert message.get_content_type() == "multipart/mixed"
    [part] = message.iter_attachments()
    assert part.get_filename() == filename
    assert part.get_content() == content


INNER = EmailMessage()
INNER["Subject"] = "Grüße"
INNER.set_content("Tschüß\n" * 50)
INNER.add_attachment(bytes(range(256)), maintype="application", subtype="pdf")
EIGHT_BITS = (
    b"Subject: Hi\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n" + "Grüße\r\n".encode()
)


@pytest.mark.parametrize("content", [b"Subject: Hi\r\n\r\nHello\r\n", EIGHT_BITS, INNER.as_bytes()])
def test_a_message_within_the_message_reads_back_as_it_was(content: bytes) -> None:
    attachment = EmailAttachment(
        filename="Grüße.eml", content_type="message/rfc822", content=content, position=0
    )
    row = email(attachments=[attachment])
    assert message_bytes(row).isascii()
    assert message_bytes(row) == message_bytes(row)
    assert max(map(len, message_bytes(row).split(b"\r\n"))) <= 78
    [part] = parsed(row).iter_attachments()
    assert part.get_filename() == "Grüße.eml"
    within, before = part.get_content(), message_from_bytes(content, policy=modern_policy)
    assert within["Subject"] == before["Subject"]
    pairs = zip(within.walk(), before.walk(), strict=True)
    for one, other in pairs:
        assert one.get_content_type() == other.get_content_type()
        if not one.is_multipart():
            assert one.get_content() == other.get_content()


@pytest.mark.parametrize("content", ["Subject: Hi\r\n\r\nGrüße\r\n".encode(), bytes(range(256))])
def test_a_message_within_that_cannot_be_read_is_attached_as_a_file(content: bytes) -> None:
    attachment = EmailAttachment(
        filename="letter.eml", content_type="message/rfc822", content=content, position=0
    )
    [part] = parsed(email(attachments=[attachment])).iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_content() == content


def test_a_row_always_gives_the_same_bytes() -> None:
    assert message_bytes(email()) == message_bytes(email())


def test_an_international_domain_is_written_in_its_ascii_form() -> None:
    message = message_bytes(email(recipient="jo@bücher.example", recipient_name="Jörg"))
    assert b"<jo@xn--bcher-kva.example>" in message


def test_a_quoted_name_keeps_its_quotes_and_commas() -> None:
    message = parsed(email(recipient_name='Ada "the first", Countess'))
    assert message["To"].addresses[0].display_name == 'Ada "the first", Countess'


@pytest.mark.parametrize(
    "name", ["Shop: the best", "(EU) Shop", 'The "best" shop', "C:\\Shop; [EU]"]
)
def test_a_senders_name_arrives_as_it_was_written(name: str) -> None:
    sender = parsed(email(sender=f"{name} <shop@example.org>"))["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == (name, "shop@example.org")


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@example.org", "Ada\x00", "=?utf-8?q?Eve?="])
def test_a_name_that_could_end_or_forge_a_header_is_refused(name: str) -> None:
    with pytest.raises(BadAddress):
        message_bytes(email(recipient_name=name))


@pytest.mark.parametrize("bodies", [{"html_body": None}, {"text_body": None}])
def test_a_single_body_needs_no_multipart(bodies: dict[str, None]) -> None:
    message = parsed(email(**bodies))
    assert message.get_content_maintype() == "text"
    assert message_bytes(email(**bodies)).endswith(b"\r\n")
