"""What scripts add to the pages, and the keys of the mailbox."""

from playwright.sync_api import expect

from tests.support.accounts import PASSWORD
from tests.support.chromium import OpenPage
from tests.support.visit import fill


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
