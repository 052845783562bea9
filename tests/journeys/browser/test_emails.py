"""Every sample of every email in every language, on a phone and on a tablet, in light and dark:
nothing scrolls sideways, buttons are large enough, amounts stay in one piece. On a desktop the
footer has two lines.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from pyramid.router import Router

from app.previews.preview import Preview, previews_of
from tests.support.chromium import OpenPage, sideways

WIDTHS = (320, 600)
DESKTOP = 1280
SCHEMES = ("light", "dark")
LOWEST_BUTTON = 44
"""CSS pixels (STANDARDS A9)."""

BACKGROUND = "(element) => getComputedStyle(element).backgroundColor"
MEASURE = """
() => {
  const lines = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const boxes = [...range.getClientRects()].filter((box) => box.width);
    return new Set(boxes.map((box) => Math.round(box.top))).size;
  };
  const buttons = [...document.querySelectorAll("a.button")];
  const amounts = [...document.querySelectorAll("table:not([role]) td[align=right]")];
  return {
    buttons: buttons.map((button) => button.getBoundingClientRect().height),
    broken: amounts
      .filter((cell) => getComputedStyle(cell).whiteSpace !== "nowrap" || lines(cell) !== 1)
      .map((cell) => cell.textContent),
    amounts: amounts.length,
  };
}
"""

LINES_OF = """
(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const boxes = [...range.getClientRects()].filter((box) => box.width);
  return new Set(boxes.map((box) => Math.round(box.bottom))).size;
}
"""


@pytest.fixture(scope="module")
def previews(shop: tuple[Router, str]) -> list[Preview]:
    """Everything that can be seen at /dev/emails."""
    registry = shop[0].registry
    return [preview for kind in registry.email_kinds for preview in previews_of(registry, kind)]


def test_every_email_keeps_its_shape(
    open_page: OpenPage, previews: list[Preview], pictures: Path
) -> None:
    page = open_page("/dev/emails/welcome/html")
    problems = [problem for preview in previews for problem in look_at(page, preview, pictures)]
    assert not problems, "\n".join(problems)


def look_at(page: Page, preview: Preview, pictures: Path) -> Iterator[str]:
    """What is wrong with a preview, with its name. Where somebody wants the pictures, it takes one
    for each width and scheme.
    """
    for style in ("on", "off"):
        query = f"sample={preview.sample}&language={preview.language}&style={style}&width=desktop"
        response = page.request.get(f"/dev/emails/{preview.kind.name}/html?{query}")
        assert response.ok
        # In the page that is open, because going to another takes ten times as long.
        page.set_content(response.text())
        for width in WIDTHS:
            place = f"{preview.name}, {width} px, style {style}"
            page.set_viewport_size({"width": width, "height": 800})
            if over := sideways(page):
                yield f"{place}: scrolls sideways by {over} px"
            found = page.evaluate(MEASURE)
            for height in found["buttons"]:
                if height < LOWEST_BUTTON:
                    yield f"{place}: a button is {height} px high"
            for amount in found["broken"]:
                yield f"{place}: the amount {amount} may break"
            if preview.kind.reports_purchase and not found["amounts"]:
                yield f"{place}: has no amounts"
            is_pictured = style == "on" and "TEST_PICTURES" in os.environ
            for scheme in SCHEMES if is_pictured else ():
                page.emulate_media(color_scheme=scheme)
                picture = f"{preview.name}.{width}.{scheme}.png"
                page.screenshot(path=pictures / picture, full_page=True)
        page.set_viewport_size({"width": DESKTOP, "height": 800})
        if (lines := page.locator("p.footer").evaluate(LINES_OF)) > 2:
            yield f"{preview.name}, {DESKTOP} px, style {style}: the footer has {lines} lines"


BASE_LINES = """
() => {
  // The base line of the first line in a cell: of an empty box before its text.
  const base = (cell) => {
    const box = document.createElement("span");
    box.style.display = "inline-block";
    cell.prepend(box);
    const line = box.getBoundingClientRect().bottom;
    box.remove();
    return line;
  };
  const rows = [...document.querySelectorAll("table.lines tr")];
  return rows.map((row) => [...row.cells].map(base)).map((y) => Math.max(...y) - Math.min(...y));
}
"""


@pytest.mark.parametrize("width", [320, 1280])
def test_an_amount_stands_on_the_first_line_of_its_item(open_page: OpenPage, width: int) -> None:
    page = open_page("/dev/emails/purchase_receipt/html?sample=scripts&width=desktop", width=width)
    differences = page.evaluate(BASE_LINES)
    assert len(differences) > 6
    assert max(differences) < 1


def test_the_receipt_leads_with_the_amount(open_page: OpenPage) -> None:
    page = open_page("/dev/emails/purchase_receipt/html?width=desktop", width=1280)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("td.content *")]
        .filter((element) => element.textContent.trim())
        .map((element) => [parseFloat(getComputedStyle(element).fontSize), element.className])"""
    )
    assert max(sizes)[1] == "amount"
    amount = page.locator("p.amount").bounding_box()
    table = page.locator("table.lines").bounding_box()
    assert amount
    assert table
    assert amount["y"] < table["y"]


def test_dark_and_light_really_differ(open_page: OpenPage) -> None:
    page = open_page("/dev/emails/welcome/html?width=desktop")
    colours = set()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.querySelector('td.content')).color"))
    assert len(colours) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_frame_shows_a_scheme_that_is_not_the_readers_own(
    open_page: OpenPage, scheme: str
) -> None:
    own = "dark" if scheme == "light" else "light"
    page = open_page(f"/dev/emails/welcome?scheme={scheme}&width=phone", scheme=own)
    framed = page.frame_locator("iframe >> nth=0").locator("body").evaluate(BACKGROUND)
    page = open_page("/dev/emails/welcome/html", scheme=scheme)
    assert framed == page.locator("body").evaluate(BACKGROUND)


def test_a_phone_is_320_pixels_wide(open_page: OpenPage) -> None:
    page = open_page("/dev/emails/purchase_receipt?sample=long&width=phone", width=1280)
    framed = page.frame_locator("iframe >> nth=0").locator("html")
    assert framed.evaluate("(html) => html.clientWidth") == 320
