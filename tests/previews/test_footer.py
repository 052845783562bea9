"""The footer: two lines that say why the email came, who answers, and who sent it."""

import pytest
from bs4 import BeautifulSoup

from app import configure
from app.mail import BodyFormat
from app.previews.preview import Preview, compose_preview, findings_of, previews_of
from tests.support.sample_kinds import PREVIEWS, REGISTRY
from tests.support.shop_settings import shop_settings

ADDRESS = "Rudolf & Söhne Schreibwaren GmbH\n  Lange Straße 123\n12345 Musterstadt, Germany"
WITH_ADDRESS = configure(
    {},
    shop_settings("sqlite://", base_url="https://shop.example") | {"email.postal_address": ADDRESS},
).registry


def footer(html: str | None) -> BeautifulSoup:
    [element] = BeautifulSoup(html or "", "html.parser").select("p.footer")
    return element


@pytest.mark.parametrize("preview", PREVIEWS, ids=lambda preview: preview.name)
def test_the_footer_says_all_in_two_lines(preview: Preview) -> None:
    why, who = footer(compose_preview(REGISTRY, preview).html_body).get_text().split("\n")
    assert len(why.split()) > 5
    assert why.endswith("? help@example.org")
    assert who == "Pillarbox"
    assert max(len(why), len(who)) < 85


def test_the_postal_address_stands_in_both_bodies() -> None:
    email = compose_preview(
        WITH_ADDRESS, Preview(WITH_ADDRESS.email_kinds.get("welcome"), "short", "en")
    )
    said = "Rudolf & Söhne Schreibwaren GmbH, Lange Straße 123, 12345 Musterstadt, Germany"
    assert footer(email.html_body).get_text().endswith(f"\nPillarbox, {said}")
    assert said in " ".join((email.text_body or "").split())
    text_only = Preview(WITH_ADDRESS.email_kinds.get("welcome"), "short", "en", BodyFormat.TEXT)
    assert said in " ".join((compose_preview(WITH_ADDRESS, text_only).text_body or "").split())


def test_the_message_outweighs_its_fine_print_with_a_long_address_too() -> None:
    for kind in WITH_ADDRESS.email_kinds:
        for preview in previews_of(WITH_ADDRESS, kind):
            email = compose_preview(WITH_ADDRESS, preview)
            assert findings_of(WITH_ADDRESS, preview, email) == [], preview.name
