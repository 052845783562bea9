"""A customer's whole way through the shop in a real browser, with and without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import OpenPage

FIRST_PASSWORD = "a lovely long passphrase"
SECOND_PASSWORD = "an even lovelier passphrase"


@pytest.mark.parametrize("javascript", [True, False], ids=["with-script", "without-script"])
def test_sign_up_confirm_reset_buy_and_get_the_receipt(
    open_page: OpenPage, javascript: bool
) -> None:
    address = f"ada.{javascript}@example.org".lower()
    page = open_page("/", javascript=javascript)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password", exact=True).fill(FIRST_PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    expect(page.get_by_text(address)).to_be_visible()

    page = follow(page, "Confirm your email address", "Confirm email address")
    page.get_by_role("button", name="Confirm and create account").click()
    sign_in(page, address, FIRST_PASSWORD)

    page.goto("/sign-in")
    page.goto("/forgot-password")
    page.get_by_label("Email address").fill(address)
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    page = follow(page, "Reset your password", "Choose a new password")
    page.get_by_label("Password").last.fill(SECOND_PASSWORD)
    page.get_by_role("button", name="Save new password").click()
    sign_in(page, address, SECOND_PASSWORD)

    page.goto("/")
    page.get_by_role("link", name="Fox seals").click()
    page.get_by_role("button", name="Add to basket").click()
    page.goto("/basket")
    page.get_by_role("link", name="Go to checkout").click()
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("address").fill("12 St James's Square\nLondon")
    page.get_by_role("button", name=re.compile("Order and pay")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Test payment: nothing is charged")
    page.get_by_role("button", name="Pay €").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order")
    order = page.url

    page.get_by_role("link", name="Open the development mailbox").click()
    page = open_link(page, "Receipt for order", "View your order")
    assert page.url == order


def sign_in(page: Page, address: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/account")
    expect(page.get_by_text(address)).to_be_visible()


def follow(page: Page, subject: str, link: str) -> Page:
    """Go from "Check your inbox" to the mailbox, and open the email's link."""
    page.get_by_role("link", name="Open the development mailbox").click()
    return open_link(page, subject, link)


def open_link(page: Page, subject: str, link: str) -> Page:
    page.get_by_role("link", name=subject).first.click()
    # A click on an email that is still being laid out would miss.
    page.wait_for_url("**/dev/mailbox/*")
    page.wait_for_load_state("networkidle")
    frame = page.frame_locator("iframe >> nth=0")
    with page.context.expect_page() as opened:
        frame.get_by_role("link", name=link, exact=True).click()
    opened.value.wait_for_load_state()
    return opened.value
