"""What every page must be (STANDARDS C1 to C6), checked in Chromium. Each check gives what is wrong
in words.
"""

import json
from collections.abc import Iterator

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MOST_OCTETS = 50_000
LOWEST_BUTTON = 44
"""CSS pixels."""
RING = 3
"""CSS pixels."""

_AXE = f"""
() => axe.run({{
  runOnly: {json.dumps(RULES)}, resultTypes: ["violations"], iframes: false,
}}).then((results) => results.violations.flatMap((rule) =>
  rule.nodes.map((node) => `${{rule.id}}: ${{rule.help}}: ${{node.html.slice(0, 150)}}`)))
"""
_ERRORS = """
() => {
  const summary = document.querySelector(".error-summary");
  if (!summary) return ["has no error summary"];
  const wrong = [];
  if (document.activeElement !== summary) wrong.push("its error summary has not the focus");
  if (document.querySelector("main").firstElementChild !== summary)
    wrong.push("its error summary is not first in main");
  const word = document.querySelector(".error .visually-hidden")?.textContent ?? "";
  if (!document.title.startsWith(word))
    wrong.push("its title does not begin with Error:");
  for (const link of summary.querySelectorAll("a")) {
    const field = document.getElementById(link.hash.slice(1));
    if (!field) { wrong.push(`no field for ${link.textContent}`); continue; }
    const described = field.closest("[aria-describedby]")?.getAttribute("aria-describedby") ?? "";
    const words = described.split(" ").map((id) => document.getElementById(id)?.textContent ?? "?");
    if (!words.some((text) => text.includes(link.textContent.trim())))
      wrong.push(`the field does not say: ${link.textContent}`);
    if (!field.matches("[aria-invalid=true], [type=radio]"))
      wrong.push(`${field.id} is not marked`);
  }
  for (const password of document.querySelectorAll("[type=password]"))
    if (password.value) wrong.push("it keeps a password");
  return wrong;
}
"""
# Frames hold emails, which are not parts of the page.
_WEIGHT = """
() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
  .filter((entry) => entry.initiatorType !== "iframe")
  .reduce((sum, entry) => sum + entry.decodedBodySize, 0)
"""
_PREPARE_WALK = """
() => {
  const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  const all = document.querySelectorAll(`${kinds}, [tabindex="0"]`);
  const stops = [...all].filter((element) =>
    element.checkVisibility({visibilityProperty: true}) && !element.disabled
    && !(element.type === "radio" && !element.checked && document.querySelector(
      `[type=radio][name="${element.name}"]:checked`)));
  const first = {};
  window.walk = {stops: stops.filter((element) => element.type !== "radio" || element.checked
    || !(element.name in first) && (first[element.name] = true)), reached: [], wrong: []};
  const ring = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= RING;
  document.addEventListener("focusin", ({target}) => {
    if (target.localName === "iframe") return;
    walk.reached.push(target);
    const name = target.outerHTML.slice(0, 120);
    if (![null, "::after"].some((part) => ring(getComputedStyle(target, part))))
      walk.wrong.push(`no ring around ${name}`);
    const {top, bottom, left, right} = target.getBoundingClientRect();
    if (bottom <= 0 || top >= innerHeight || right <= 0 || left >= innerWidth)
      walk.wrong.push(`focused out of sight: ${name}`);
  });
  return walk.stops.length;
}
""".replace("RING", str(RING))
_WALKED = """
() => {
  const {stops, reached, wrong} = walk;
  const known = [...new Set(reached)].filter((element) => stops.includes(element));
  for (const stop of stops) if (!reached.includes(stop))
    wrong.push(`Tab does not reach ${stop.outerHTML.slice(0, 120)}`);
  stops.forEach((stop, number) => {
    if (known[number] && known[number] !== stop && !wrong.length)
      wrong.push(`Tab reaches out of turn ${known[number].outerHTML.slice(0, 120)}`);
  });
  return wrong;
}
"""
_ORDER = """
() => {
  const boxes = walk.stops.filter((stop) => !stop.matches(".skip-link")).map((stop) =>
    [stop.outerHTML.slice(0, 120), stop.getBoundingClientRect()]);
  const wrong = [];
  boxes.slice(1).forEach(([name, box], number) => {
    const [, before] = boxes[number];
    const isAbove = box.bottom <= before.top + 1 && box.left < before.right;
    const isInRow = box.bottom > before.top && box.top < before.bottom;
    const isBefore = isInRow && box.right <= before.left + 1;
    if (isAbove || isBefore) wrong.push(`Tab jumps back to ${name}`);
  });
  return wrong;
}
"""
_TARGETS = """
() => [...document.querySelectorAll(".button, .show-password")]
  .filter((button) => button.checkVisibility() && button.getBoundingClientRect().height < LOWEST)
  .map((button) => `only ${button.getBoundingClientRect().height} px high: ${button.textContent}`)
""".replace("LOWEST", str(LOWEST_BUTTON))
_FORMS = """
() => {
  window.sent = null;
  document.addEventListener("submit", (event) => { event.preventDefault(); sent = event.target; });
  return document.forms.length;
}
"""
_FOCUS_INPUT = """
(number) => {
  const text = "input:not([type=hidden], [type=checkbox], [type=radio], [hidden])";
  const input = document.forms[number].querySelector(text);
  input?.focus();
  return Boolean(input);
}
"""


def axe(page: Page) -> Iterator[str]:
    """What axe-core finds. Chromium evaluates the script for its debugger, where the page's
    Content-Security-Policy does not hold, so that the page itself stays as strict as it is.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    yield from page.evaluate(_AXE)


def error_summary(page: Page) -> Iterator[str]:
    """A refused form: the summary is first and has the focus, its links lead to their fields."""
    yield from page.evaluate(_ERRORS)


def weight(page: Page) -> Iterator[str]:
    """More than ``MOST_OCTETS`` of page, styles, scripts and pictures. A page for developers shows
    the source of an email, and may have more.
    """
    octets = page.evaluate(_WEIGHT)
    if octets > MOST_OCTETS and "/dev/" not in page.url:
        yield f"{octets} octets"


def targets(page: Page) -> Iterator[str]:
    """Buttons that are too low. axe-core knows the smallest size of everything else."""
    yield from page.evaluate(_TARGETS)


def keyboard(page: Page) -> Iterator[str]:
    """Tab goes to every control, from the skip link on and in the order in which they stand, and a
    ring shows where it is.
    """
    expected = page.evaluate(_PREPARE_WALK)
    if page.evaluate("document.activeElement === document.body"):
        page.keyboard.press("Tab")
    else:
        # A key first, since Chromium shows no ring to whoever used the mouse last.
        page.keyboard.press("Tab")
        page.evaluate("walk.reached = []; document.querySelector('.skip-link').focus()")
    if not page.evaluate("document.activeElement.matches('.skip-link')"):
        yield "the skip link is not the first"
    # A frame has stops of its own, so the number of stops is not known before.
    for _ in range(6):
        for _ in range(expected):
            page.keyboard.press("Tab")
        if page.evaluate("walk.reached.includes(walk.stops.at(-1))"):
            break
    yield from page.evaluate(_WALKED)
    yield from order(page)


def order(page: Page) -> Iterator[str]:
    """Controls that stand above or before the one that Tab reaches first. After ``keyboard``."""
    yield from page.evaluate(_ORDER)


def enter(page: Page) -> Iterator[str]:
    """Enter in the first field of each form sends it."""
    for number in range(page.evaluate(_FORMS)):
        if page.evaluate(_FOCUS_INPUT, number):
            page.keyboard.press("Enter")
            if not page.evaluate("(number) => sent === document.forms[number]", number):
                yield f"Enter does not send form {number}"
