"""The second factor in a real browser: the picture loads, and nothing needs JavaScript."""

from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Page
from pyramid.router import Router

from tests.support.accounts import PASSWORD, add_account
from tests.support.chromium import OpenPage, sideways


def fill(page: Page, **fields: str) -> None:
    """Fill the fields in, by their names, and press the button of their form."""
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)
    form = page.locator("main form", has=page.locator(f"[name={next(iter(fields))}]"))
    form.locator("button[type=submit]").click()


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
def test_it_is_set_up_and_asked_for_without_javascript(
    shop: tuple[Router, str], open_page: OpenPage, pictures: Path, width: int, scheme: str
) -> None:
    address = f"factor{width}@example.org"
    add_account(shop[0].registry.database, address, is_staff=True)

    def look(page: Page, name: str) -> None:
        page.screenshot(path=pictures / f"factor-{name}-{width}-{scheme}.png", full_page=True)
        assert sideways(page) == 0, name

    page = open_page(
        "/sign-in?next=/account/second-factor", javascript=False, width=width, scheme=scheme
    )
    fill(page, email=address, password=PASSWORD)
    look(page, "off")
    page.locator("main form button").click()
    look(page, "set-up")
    assert page.locator(".qr-code").evaluate("(picture) => picture.naturalWidth") > 0
    app = pyotp.TOTP((page.locator(".key code").text_content() or "").replace(" ", ""))
    fill(page, code="1")
    look(page, "set-up-wrong")
    fill(page, code=app.at(shop[0].registry.clock()))
    look(page, "recovery-codes")
    recovery_code = page.locator(".recovery-codes code").first.text_content() or ""
    page.goto("/account/second-factor")
    look(page, "on")
    page.goto("/account/second-factor/turn-off")
    look(page, "turn-off")
    page.goto("/account")
    page.get_by_role("button", name="Sign out").click()

    fill(page, email=address, password=PASSWORD)
    look(page, "code")
    page.get_by_text("Use a recovery code instead").click()
    look(page, "recovery-code")
    fill(page, code=recovery_code.lower())
    look(page, "account")
    page.goto("/staff")
    look(page, "staff")
    fill(page, email=address)
    look(page, "staff-account")
