"""STANDARDS A1 to A6 for every kind, sample and language, read from the bytes that the relay would
get.
"""

import itertools
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from pyramid.router import Router

from app.mail import BodyFormat, Kind, Recipient
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.previews.preview import Preview, compose_preview
from tests.support.application import MakeApp
from tests.support.outbox import Outbox
from tests.support.sample_kinds import KINDS, PREVIEWS, REGISTRY


class Parts(HTMLParser):
    """The first text found inside each element of interest."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.attributes: dict[str, dict[str, str | None]] = {}
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = "preheader" if dict(attrs).get("class") == "preheader" else tag
        self.attributes.setdefault(name, dict(attrs))
        self._open.append(name)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() not in (tag, "preheader"):
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[self._open[-1]] = self.found.get(self._open[-1], "") + data


@pytest.fixture(params=PREVIEWS, ids=lambda preview: preview.name)
def preview(request: pytest.FixtureRequest) -> Preview:
    """One sample of one kind in one language."""
    chosen: Preview = request.param
    return chosen


@pytest.fixture
def email(preview: Preview) -> OutboxEmail:
    """The sample composed with the real templates, as it would stand in the outbox."""
    return compose_preview(REGISTRY, preview)


@pytest.fixture
def words(preview: Preview) -> str:
    """The sample's own text. It may look like markup and must appear in the email."""
    return str(preview.context)


def write(app: Router, kind: Kind, sample: str, to: Recipient) -> OutboxEmail:
    message = app.registry.email_composer.compose(
        kind, kind.samples[sample], to=to, about="sample:1"
    )
    with app.registry.database.transaction(write=True) as session:
        row = Outbox(app.registry).service(session).send_message(message, key=f"sample:{sample}")
        assert (row.state, row.reason) == ("captured", "email.debug is on")
        session.refresh(row, ["attachments"])
        return row


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_headers_are_there_once_each(email: OutboxEmail, preview: Preview) -> None:
    message = parsed(message_bytes(email))
    once = {"Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Reply-To"}
    for name in once:
        assert len(message.get_all(name, [])) == 1, name
    assert message["Date"].datetime == email.created_at.replace(microsecond=0)
    assert str(message["Date"]).endswith("+0000")
    assert re.fullmatch(r"<[^@<>\s]+@example\.org>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["X-Entity-Ref-ID"]
    assert message["Content-Language"] == preview.language
    assert message["Reply-To"].addresses[0].addr_spec == "help@example.org"
    for name in ("Bcc", "Return-Path", "Precedence", "List-Unsubscribe"):
        assert name not in message
    assert [address.addr_spec for address in message["To"].addresses] == ["ada@example.org"]


def test_the_bytes_keep_the_limits_of_the_wire(email: OutboxEmail) -> None:
    data = message_bytes(email)
    assert b"\x00" not in data
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert max(map(len, body.split(b"\r\n"))) <= 76 + len("Content-Type: ; boundary=")


def test_the_text_comes_first_and_the_html_last(email: OutboxEmail) -> None:
    message = parsed(message_bytes(email))
    alternative = next(p for p in message.walk() if p.get_content_type() == "multipart/alternative")
    parts = list(alternative.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    for part, body in zip(parts, (email.text_body, email.html_body), strict=True):
        assert part.get_content_charset() == "utf-8"
        assert part["Content-Transfer-Encoding"] == "quoted-printable"
        assert part.defects == []
        assert part.get_content().replace("\r\n", "\n") == body


def test_the_subject_and_preheader_say_enough_and_not_too_much(email: OutboxEmail) -> None:
    parts = Parts()
    parts.feed(email.html_body or "")
    assert 8 <= len(email.subject) <= 60
    assert parts.found["title"] == email.subject
    preheader = parts.found["preheader"].strip()
    assert 30 <= len(preheader) <= 140
    assert parts.found["h1"].strip() not in preheader
    style = (parts.attributes["preheader"]["style"] or "").replace(" ", "")
    for rule in ("display:none", "max-height:0", "max-width:0", "overflow:hidden", "mso-hide:all"):
        assert rule in style


def test_the_html_asks_nothing_of_the_reader(email: OutboxEmail, words: str) -> None:
    html = (email.html_body or "").lower()
    assert html.startswith("<!doctype html>")
    assert html.count("<h1") == 1
    for forbidden in ("<form", "<iframe", "<link", "<img", "@import", "@font-face", "javascript:"):
        assert forbidden not in html
    assert set(re.findall(r"<script[^>]*>", html)) <= {'<script type="application/ld+json">'}
    assert "class=" not in html or "<style>" in html
    assert "{{" not in html or "{{" in words
    assert ">none<" not in html


def test_the_text_has_every_link_and_no_markup_left(email: OutboxEmail, words: str) -> None:
    text = email.text_body or ""
    for link in re.findall(r'<a\b[^>]*href="(?:mailto:)?([^"]+)"', email.html_body or ""):
        assert link.replace("&amp;", "&") in text
    for line in text.splitlines():
        assert len(line) <= 76 or "://" in line
    for leftover in ("**", "](", "&amp;", "&#", "\\."):
        assert leftover not in text or leftover in words


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_receipt_of_a_hundred_lines_is_not_cut_off_by_gmail(app: Router, language: str) -> None:
    receipt = KINDS["purchase_receipt"]
    long = receipt.samples["long"]
    hundred = replace(long, lines=tuple(itertools.islice(itertools.cycle(long.lines), 100)))
    message = app.registry.email_composer.compose(
        receipt, hundred, to=Recipient("ada@example.org", locale=language), about="order:1"
    )
    assert len((message.html or "").encode()) < 60_000


@pytest.mark.parametrize(
    ("wanted", "content_type"),
    [(BodyFormat.TEXT, "text/plain"), (BodyFormat.HTML, "text/html")],
)
def test_a_customer_who_wants_one_body_gets_one(
    app: Router, wanted: BodyFormat, content_type: str
) -> None:
    to = Recipient("ada@example.org", body_format=wanted)
    row = write(app, KINDS["welcome"], "short", to)
    assert parsed(message_bytes(row)).get_content_type() == content_type


def test_every_email_of_the_design_that_has_a_flow_is_a_kind() -> None:
    assert set(KINDS) >= {
        "confirm_address",
        "welcome",
        "account_exists",
        "password_reset",
        "password_changed",
        "purchase_receipt",
        "payment_pending",
        "payment_failed",
        "refund_receipt",
        "download_ready",
        "withdrawal_received",
        "shop_notice",
    }


def test_a_kind_that_cannot_be_rendered_becomes_a_failed_row_and_the_act_stands(
    make_app: MakeApp,
    settings_values: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_app(settings_values)
    app.registry.email_composer.raises = False
    broken = Kind(
        name="no_such_template",
        context=KINDS["welcome"].context,
        samples={},
        time_to_live=KINDS["welcome"].time_to_live,
        priority=KINDS["welcome"].priority,
        limit=KINDS["welcome"].limit,
    )
    context: Any = KINDS["welcome"].samples["short"]
    message = app.registry.email_composer.compose(
        broken, context, to=Recipient("ada@example.org"), about="account:1"
    )
    with app.registry.database.transaction(write=True) as session:
        row = Outbox(app.registry).service(session).send_message(message, key="welcome:1")
    assert row.state == "failed"
    assert "TemplateNotFound" in (row.reason or "")
    assert "Traceback" in caplog.text
