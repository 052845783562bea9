"""Every page on a phone and a desktop, in light and dark; what scripts add; and the keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pyramid.router import Router

from tests.support.accounts import PASSWORD, add_account
from tests.support.chromium import OpenPage, sideways

WIDTHS = (320, 1280)
SCHEMES = ("light", "dark")
GRACE = "grace.hopper@a-rather-long-domain-name.example.org"

FOCUS_RING = """
(element) => [null, "::after"]
  .map((part) => getComputedStyle(element, part))
  .some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 3)
"""


def fill(page: Page, **fields: str) -> None:
    """Fill the fields in, by their names, and press the button of their form."""
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)
    form = page.locator("main form", has=page.locator(f"[name={next(iter(fields))}]"))
    form.locator("button[type=submit]").click()


def newest_link(page: Page) -> str:
    """The first link in the newest email."""
    link: str = page.request.get("/dev/mailbox.json").json()[0]["links"][0]
    return link


@pytest.fixture(scope="module")
def customer(shop: tuple[Router, str]) -> str:
    """The address of somebody with an account."""
    add_account(shop[0].registry.database, GRACE)
    return GRACE


def stations(page: Page, customer: str) -> Iterator[str]:
    """Opens every page and its error states, one after another. Gives the name of each."""
    yield "catalogue"
    page.goto("/products/sealing-wax")
    yield "product"
    page.goto("/basket")
    yield "basket-empty"
    page.goto("/pages/imprint")
    yield "imprint"
    page.goto("/no-such-page")
    yield "not-found"
    page.goto("/confirm/used-long-ago")
    yield "dead-link"
    page.goto("/sign-up")
    yield "sign-up"
    fill(page, email="not an address", password="short")
    yield "sign-up-errors"
    fill(page, email=f"new.{page.viewport_size['width']}@example.org", password=PASSWORD)  # type: ignore[index]
    yield "check-inbox"
    for _ in range(4):
        page.get_by_role("button", name="Send the email again").click()
    yield "check-inbox-wait"
    link = newest_link(page)
    page.goto(link)
    yield "confirm"
    page.context.clear_cookies()
    page.goto(link)
    yield "confirm-elsewhere"
    fill(page, password="not the right one")
    yield "confirm-new-password"
    page.goto("/forgot-password")
    yield "forgot-password"
    fill(page, email=customer)
    yield "forgot-password-sent"
    page.goto("/sign-in")
    yield "sign-in"
    fill(page, email=customer, password="not the right one")
    yield "sign-in-errors"
    fill(page, email=customer, password=PASSWORD)
    yield "account"
    page.goto("/account/preferences")
    yield "preferences"
    for product in ("sealing-wax", "desk-postbox"):
        page.goto(f"/products/{product}")
        fill(page, quantity="99")
    page.goto("/basket")
    yield "basket"
    page.goto("/checkout")
    yield "checkout"
    fill(page, name="", address="")
    yield "checkout-errors"
    fill(page, name="Grace Hopper", address="1 Navy Yard\nWashington")
    yield "test-payment"
    page.locator("form", has=page.locator("[value=pay]")).locator("button").click()
    yield "order"
    page.goto("/orders")
    yield "orders"
    page.goto("/dev/mailbox")
    yield "mailbox"
    page.locator(".letters a").first.click()
    yield "mailbox-email"
    page.goto("/dev/mailbox?to=nobody&refresh=60")
    yield "mailbox-nothing-found"
    page.goto("/dev/emails")
    yield "previews"
    page.goto("/dev/emails/purchase_receipt?sample=hostile&width=all")
    yield "preview"
    page.locator("details").first.locator("summary").click()
    yield "preview-source"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways(
    open_page: OpenPage, customer: str, pictures: Path, width: int
) -> None:
    page = open_page("/", width=width)
    problems = []
    for name in stations(page, customer):
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            if over := sideways(page):
                problems.append(f"{name}, {scheme}: scrolls sideways by {over} px")
        # One picture of each page is enough: the dark one, which comes last.
        page.screenshot(path=pictures / f"page.{name}.{width}.png", full_page=True)
        if page.locator("h1").count() != 1:
            problems.append(f"{name}: has {page.locator('h1').count()} headings of the first level")
    assert not problems, "\n".join(problems)


def test_a_button_shows_the_password_and_hides_it_again(open_page: OpenPage) -> None:
    page = open_page("/sign-up")
    password = page.get_by_label("Password", exact=True)
    password.fill("a lovely long passphrase")
    page.get_by_role("button", name="Show password").click()
    expect(password).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide password").click()
    expect(password).to_have_attribute("type", "password")
    expect(password).to_have_value("a lovely long passphrase")


def test_a_shown_password_is_sent_as_a_hidden_one(open_page: OpenPage) -> None:
    page = open_page("/sign-in")
    page.get_by_role("button", name="Show password").click()
    page.evaluate("document.forms[0].addEventListener('submit', (event) => event.preventDefault())")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "password")


def test_without_javascript_there_is_no_button_that_does_nothing(open_page: OpenPage) -> None:
    page = open_page("/sign-up", javascript=False)
    expect(page.get_by_role("button")).to_have_count(1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", ["/", "/sign-up", "/dev/mailbox", "/dev/emails/welcome"])
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    open_page: OpenPage, path: str, scheme: str
) -> None:
    page = open_page(path, scheme=scheme)
    reached: list[str] = []
    for _ in range(100):
        page.keyboard.press("Tab")
        focused = page.locator("*:focus:not(iframe)")
        # Inside of a frame, the focus is on the email's own links.
        if focused.count():
            assert focused.evaluate(FOCUS_RING), focused.evaluate("(element) => element.outerHTML")
            reached.append(focused.evaluate("(element) => element.textContent.trim()"))
        if "help@example.org" in reached:
            break
    assert reached[0] == "Skip to content"
    assert reached[-1] == "help@example.org", "the page's last link"


def test_an_error_summary_has_the_focus_and_leads_to_its_field(open_page: OpenPage) -> None:
    page = open_page("/sign-up")
    fill(page, email="not an address", password=PASSWORD)
    expect(page.locator(".error-summary")).to_be_focused()
    page.locator(".error-summary a").first.click()
    expect(page.get_by_label("Email address")).to_be_focused()


def test_j_and_k_go_through_the_mailbox(open_page: OpenPage) -> None:
    for number in range(2):
        page = open_page("/sign-up")
        fill(page, email=f"keys.{number}@example.org", password=PASSWORD)
        expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    page = open_page("/dev/mailbox?to=keys.")
    letters = page.locator(".letters a")
    for key, focused in (("j", 0), ("j", 1), ("k", 0), ("j", 1)):
        page.keyboard.press(key)
        expect(letters.nth(focused)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    older = page.url
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Older")).to_be_visible()
    page.keyboard.press("j")
    page.wait_for_url(older)
    page.goto("/dev/mailbox")
    page.keyboard.press("/")
    page.keyboard.type("jack")
    expect(page.get_by_label("Address")).to_have_value("jack")


def test_the_mailbox_fills_by_itself_without_javascript(open_page: OpenPage) -> None:
    address = "patience@example.org"
    mailbox = open_page(f"/dev/mailbox?to={address}&refresh=1", javascript=False)
    expect(mailbox.get_by_text("No emails match your search")).to_be_visible()
    page = open_page("/sign-up")
    fill(page, email=address, password=PASSWORD)
    expect(mailbox.get_by_role("link", name="Confirm your email address")).to_be_visible()
