"""Where things stand on a page, measured in Chromium: basket, orders, mailbox and frames, and what
stays visible in forced colours.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect
from pyramid.router import Router

from tests.support.accounts import PASSWORD, add_account
from tests.support.chromium import OpenPage, watched_context
from tests.support.outbox import Outbox

ADA = "ada.layout@example.org"
LINES = """
(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
}
"""


def box(locator: Locator) -> FloatRect:
    found = locator.bounding_box()
    assert found is not None
    return found


def middle(locator: Locator) -> float:
    found = box(locator)
    return found["y"] + found["height"] / 2


def right(locator: Locator) -> float:
    found = box(locator)
    return found["x"] + found["width"]


def put_into_basket(page: Page, slug: str, quantity: int) -> None:
    page.goto(f"/products/{slug}")
    page.get_by_label("Quantity").fill(str(quantity))
    page.get_by_role("button", name="basket").click()
    page.wait_for_url("**/basket")


@pytest.fixture(params=[320, 768, 1280])
def basket(open_page: OpenPage, request: pytest.FixtureRequest) -> Page:
    """The basket's page with two products, at several widths."""
    page = open_page("/", width=request.param)
    put_into_basket(page, "sealing-wax", 99)
    put_into_basket(page, "desk-postbox", 12)
    return page


def test_each_line_of_the_basket_keeps_together(basket: Page) -> None:
    lines = basket.locator(".basket-line")
    for line in lines.all():
        remove, update = (line.get_by_role("button", name=name) for name in ("Remove", "Update"))
        assert abs(middle(remove) - middle(update)) < 2, "Remove stays on its row"
        assert abs(middle(line.get_by_role("textbox")) - middle(update)) < 2
        assert line.locator(".price").evaluate(LINES) == 1
        assert box(line.locator("img"))["width"] > 40
    ends = {round(right(line.locator(".price"))) for line in lines.all()}
    assert len(ends) == 1, "the amounts are aligned"
    total, button = basket.locator(".basket-total"), basket.get_by_role("link", name="checkout")
    assert ends == {round(right(total))} == {round(right(button))}, "beneath the amounts"
    basket.get_by_role("link", name="Continue shopping").click()
    expect(basket.get_by_role("heading", level=1)).to_contain_text("Products")


def test_a_line_of_the_basket_fits_in_german_too(open_page: OpenPage) -> None:
    page = open_page("/products/sealing-wax", width=320, language="de-DE")
    page.get_by_role("button", name="In den Warenkorb").click()
    row = [page.get_by_role("button", name=name) for name in ("Ändern", "Entfernen")]
    assert abs(middle(row[0]) - middle(row[1])) < 2
    assert all(box(button)["height"] < 56 for button in row), "their words do not break"


def test_an_error_leaves_its_field_in_its_column(basket: Page) -> None:
    fields = basket.locator(".basket-line input[name=quantity]")
    before = [box(field)["x"] for field in fields.all()]
    fields.first.fill("0")
    basket.get_by_role("button", name="Update").first.click()
    expect(basket.locator(".basket-line .error")).to_be_visible()
    assert [box(field)["x"] for field in fields.all()] == before


@pytest.mark.parametrize("width", [320, 1280])
def test_an_order_keeps_its_numbers_and_prices_in_one_piece(
    shop: tuple[Router, str], open_page: OpenPage, width: int
) -> None:
    address = f"{width}.{ADA}"
    add_account(shop[0].registry.database, address)
    page = open_page("/", width=width)
    put_into_basket(page, "sealing-wax", 99)
    put_into_basket(page, "letter-paper", 1)
    page.goto("/checkout")
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Full name").fill("Ada Lovelace")
    page.get_by_label("Postal address").fill("12 St James's Square\nLondon")
    page.get_by_role("button", name="Order and pay").click()
    page.get_by_role("button", name="Pay €").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order")

    assert page.locator("h1 .number").evaluate(LINES) == 1
    for row in page.locator(".order-lines tbody tr").all():
        each, amount = row.locator(".each"), row.locator(".amount")
        assert each.locator(".number").evaluate(LINES) == 1, "1 × stays with its price"
        name = box(row.locator("th"))
        assert box(amount)["x"] - (name["x"] + name["width"]) < width / 4
        assert box(each)["x"] == name["x"]
    assert right(page.locator(".order-lines")) <= width

    page.goto("/orders")
    for number in page.locator(".orders .number").all():
        assert number.evaluate(LINES) == 1
    assert right(page.locator(".orders")) <= width


# The mailbox


@pytest.fixture
def outbox(shop: tuple[Router, str]) -> Outbox:
    return Outbox(shop[0].registry)


def test_a_link_counts_the_emails_that_have_come(open_page: OpenPage, outbox: Outbox) -> None:
    page = open_page("/dev/mailbox?to=counted")
    link = page.locator("a.new-mail")
    expect(link).to_be_hidden()
    outbox.write(9101, address="counted@example.org")
    expect(link).to_have_text("1 new email")
    outbox.write(9102, address="counted@example.org")
    expect(link).to_have_text("2 new emails")
    link.click()
    expect(page.locator(".letters li.unread")).to_have_count(2)
    page.locator(".letters a").first.click()
    page.get_by_role("link", name="All emails").click()
    expect(page.locator(".letters li.unread")).to_have_count(1)


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("path", ["welcome", "purchase_receipt?sample=hostile"])
def test_frames_are_as_high_as_their_emails_and_as_wide_as_they_say(
    open_page: OpenPage, path: str, width: int
) -> None:
    page = open_page("/", width=width)
    for name, true_width in (("phone", 320), ("tablet", 600)):
        page.goto(f"/dev/emails/{path}{'&' if '?' in path else '?'}width={name}&scheme=light")
        frame = page.locator("figure iframe:not(.measuring)")
        content = page.frame_locator("figure iframe:not(.measuring)").locator("html")
        height = content.evaluate("(html) => html.querySelector('body').scrollHeight")
        expect(frame).to_have_js_property("clientHeight", height)
        assert content.evaluate("(html) => html.clientWidth") == true_width
        assert box(frame)["width"] == true_width


def test_without_scripts_a_frame_can_be_scrolled(open_page: OpenPage) -> None:
    page = open_page("/dev/emails/purchase_receipt?sample=long", javascript=False)
    assert box(page.locator("figure iframe").first)["height"] > 400
    expect(page.locator("iframe.measuring")).to_have_count(0)


# Forced colours


@pytest.fixture
def forced(chromium: Browser, shop: tuple[Router, str]) -> Iterator[Page]:
    """A page in forced colours, as Windows' high contrast asks for them."""
    problems: list[str] = []
    context = watched_context(chromium, shop[1], problems, forced_colors="active")
    yield context.new_page()
    context.close()
    assert problems == []


@pytest.mark.parametrize(
    ("path", "chosen", "other"),
    [
        ("/basket", ".site-header [aria-current]", ".site-header li a:not([aria-current])"),
        ("/dev/mailbox", ".rooms [aria-current]", ".rooms a:not([aria-current])"),
        ("/dev/emails/welcome", ".chooser [aria-current]", ".chooser a:not([aria-current])"),
    ],
)
def test_what_is_chosen_stays_visible_in_forced_colours(
    forced: Page, path: str, chosen: str, other: str
) -> None:
    forced.goto(path)
    look = "(e) => (({backgroundColor: b, borderBottomWidth: w}) => [b, w])(getComputedStyle(e))"
    assert forced.locator(chosen).first.evaluate(look) != forced.locator(other).first.evaluate(look)
