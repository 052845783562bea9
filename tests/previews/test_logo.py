"""The owner's logo: an attached image that the head of every email shows."""

import base64
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pyramid.registry import Registry

from app import configure
from app.mail import BodyFormat
from app.mail.outbox.tables import EmailAttachment, OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.previews.lint import Expected, lint
from app.previews.preview import Preview, compose_preview, findings_of, previews_of
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite
from tests.support.images import png
from tests.support.outbox import Outbox
from tests.support.shop_settings import shop_settings

LIGHT, DARK = png(480, 96, 20), png(480, 96, 230)


def settings_with(folder: Path, *names: str) -> dict[str, str]:
    """Settings that name ``logo.png`` and ``dark.png`` in ``folder``."""
    folder.joinpath("logo.png").write_bytes(LIGHT)
    folder.joinpath("dark.png").write_bytes(DARK)
    files = {"email.brand.logo": "logo.png", "email.brand.logo_dark": "dark.png"}
    return {name: str(folder / file) for name, file in files.items() if name in names}


@pytest.fixture(params=[1, 2], ids=["one logo", "two logos"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    """A shop with a logo, and one with another for dark mode."""
    names = ("email.brand.logo", "email.brand.logo_dark")[: request.param]
    settings = shop_settings("sqlite://", base_url="https://shop.example", domain="shop.example")
    return configure({}, settings | settings_with(tmp_path, *names)).registry


def welcome(registry: Registry, body_format: BodyFormat = BodyFormat.BOTH) -> OutboxEmail:
    kind = registry.email_kinds.get("welcome")
    return compose_preview(registry, Preview(kind, "short", "en", body_format))


def parsed(email: OutboxEmail) -> EmailMessage:
    message = message_from_bytes(message_bytes(email), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_html_shows_the_attached_images(registry: Registry) -> None:
    email = welcome(registry)
    message = parsed(email)
    assert message.get_content_type() == "multipart/alternative"
    text, page = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert page.get_content_type() == "multipart/related"
    assert page["Content-Type"].params["type"] == "text/html"
    html, *images = page.iter_parts()
    shown = [
        image["src"].removeprefix("cid:")
        for image in BeautifulSoup(html.get_content(), "html.parser").find_all("img")
    ]
    assert [image["Content-ID"].strip("<>") for image in images] == shown
    assert [image.get_content() for image in images] == [LIGHT, DARK][: len(images)]
    assert {image.get_content_type() for image in images} == {"image/png"}
    assert {image.get_content_disposition() for image in images} == {"inline"}
    assert all(name.endswith("@shop.example") for name in shown)
    assert message_bytes(email) == message_bytes(welcome(registry))


def test_the_name_stands_there_without_images(registry: Registry) -> None:
    images = BeautifulSoup(welcome(registry).html_body or "", "html.parser").find_all("img")
    assert {image["alt"] for image in images} == {"Pillarbox"}
    # No width, so the name has room. The logo is shown at half its size.
    assert [(image.get("width"), image["height"]) for image in images] == [(None, "48")] * len(
        images
    )


def test_a_text_carries_no_image(registry: Registry) -> None:
    email = welcome(registry, BodyFormat.TEXT)
    assert email.attachments == []
    assert parsed(email).get_content_type() == "text/plain"
    assert parsed(welcome(registry, BodyFormat.HTML)).get_content_type() == "multipart/related"


def test_other_attachments_stand_beside_the_email(registry: Registry) -> None:
    email = welcome(registry)
    receipt = EmailAttachment(
        position=9, filename="receipt.pdf", content_type="application/pdf", content=b"%PDF"
    )
    email.attachments = [*email.attachments, receipt]
    body, attached = parsed(email).iter_parts()
    assert body.get_content_type() == "multipart/alternative"
    assert attached.get_filename() == "receipt.pdf"
    assert attached.get_content_disposition() == "attachment"


def test_the_lint_accepts_every_email_with_logos(registry: Registry) -> None:
    for kind in registry.email_kinds:
        for sample in previews_of(registry, kind):
            for body_format in BodyFormat:
                preview = replace(sample, body_format=body_format)
                email = compose_preview(registry, preview)
                assert findings_of(registry, preview, email) == [], preview.name


def test_the_lint_finds_an_image_that_is_missing(registry: Registry) -> None:
    email = welcome(registry)
    preview = Preview(registry.email_kinds.get("welcome"), "short", "en")
    *others, last = email.attachments
    email.attachments = others
    [missing] = findings_of(registry, preview, email)
    assert (missing.rule, missing.problem) == ("A5", "names no part")
    assert last.filename in missing.place


def test_the_lint_finds_an_image_that_is_shown_nowhere(registry: Registry) -> None:
    email = welcome(registry)
    preview = Preview(registry.email_kinds.get("welcome"), "short", "en")
    source = message_bytes(email)
    name = email.attachments[-1].filename.encode()
    hidden = re.sub(b"\r\nContent-ID: <" + name, b"\r\nContent-ID: <other", source)
    shop = registry.pillarbox
    expected = Expected(
        preview.kind, preview.context, preview.to, shop.site, shop.email.sender.address
    )
    found = lint(hidden, expected)
    assert {finding.problem for finding in found} == {"names no part", "is shown nowhere"}


@on_sqlite
def test_mailbox_and_previews_show_the_logo(
    make_app: MakeApp, settings_values: dict[str, str], tmp_path: Path
) -> None:
    logos = settings_with(tmp_path, "email.brand.logo", "email.brand.logo_dark")
    app = make_app(settings_values | logos)
    kind = app.registry.email_kinds.get("welcome")
    preview = Preview(kind, "short", "en")
    message = app.registry.email_composer.compose(
        kind, preview.context, to=preview.to, about="account:1"
    )
    with app.registry.database.transaction(write=True) as session:
        row = Outbox(app.registry).service(session).send_message(message, key="welcome:1")
        session.refresh(row, ["attachments"])
        assert [attachment.content for attachment in row.attachments] == [LIGHT, DARK]
        number = row.id
    browser = another_browser(app)
    for path in (f"/dev/mailbox/{number}/html", "/dev/emails/welcome/html"):
        page = browser.get(path)
        assert "cid:" not in page.text
        for image in (LIGHT, DARK):
            assert f"data:image/png;base64,{base64.b64encode(image).decode()}" in page.text
        assert "img-src 'self' data:" in page.headers["Content-Security-Policy"]
