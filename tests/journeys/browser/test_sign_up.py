"""A stranger signs up with somebody else's address. Whichever link the owner opens, and wherever,
the account gets the owner's password.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import OpenPage

OWNERS = "a lovely long passphrase"
STRANGERS = "the passphrase of a stranger"


def sign_up(page: Page, address: str, password: str) -> None:
    page.goto("/sign-up")
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")


def links(page: Page, address: str) -> list[str]:
    """The links to confirm the address, the oldest first."""
    emails = page.request.get("/dev/mailbox.json").json()
    found = [
        email["links"][0]
        for email in emails
        if email["to"] == address and email["state"] == "captured"
    ]
    return found[::-1]


def sign_in(page: Page, address: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("javascript", [True, False], ids=["with-script", "without-script"])
@pytest.mark.parametrize("where", ["same-browser", "phone"])
def test_a_stranger_cannot_take_over_a_sign_up(
    open_page: OpenPage, javascript: bool, where: str
) -> None:
    address = f"victim.{where}.{javascript}@example.org".lower()
    stranger = open_page("/", javascript=javascript)
    for _ in range(6):
        sign_up(stranger, address, STRANGERS)
    owner = open_page("/", javascript=javascript)
    sent_before = len(links(owner, address))
    assert sent_before == 5
    sign_up(owner, address, OWNERS)
    owner.get_by_role("button", name="Send the email again").click()
    expect(owner.get_by_role("status")).to_contain_text("We are sending another email, unless")
    assert len(links(owner, address)) == sent_before + 2

    strangers_link = links(owner, address)[0]
    button = re.compile("Confirm and create account")
    if where == "same-browser":
        owner.goto(strangers_link)
        owner.get_by_role("button", name=button).click()
    else:
        owner = open_page("/", javascript=javascript, width=320)
        owner.goto(strangers_link)
        owner.get_by_label("Password", exact=True).fill(OWNERS)
        owner.get_by_role("button", name=button).click()
        expect(owner.get_by_role("heading", level=1)).to_have_text("Confirm your email address")
        owner.get_by_label("New password", exact=True).fill(OWNERS)
        owner.get_by_role("button", name=button).click()
    expect(owner.get_by_text("Your email address is confirmed.")).to_be_visible()

    sign_in(stranger, address, STRANGERS)
    expect(stranger.get_by_role("alert")).to_contain_text("is not correct")
    sign_in(owner, address, OWNERS)
    owner.goto("/account")
    expect(owner.get_by_text(address)).to_be_visible()
