"""Debian's Chromium in front of a running shop. A script that fails, something that a page's
Content-Security-Policy blocks, and a request to another host are problems.
"""

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

PATIENCE_MS = 60_000
"""How long a click or a text may take on a busy machine."""

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
]

OpenPage = Callable[..., Page]
"""The type of the fixture ``open_page``."""


def launch(playwright: Playwright) -> Browser:
    """Start Chromium without a window. A test is skipped where it is not installed, but not in
    CI.
    """
    if _CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: apt install chromium")
    assert _CHROMIUM, "Chromium is not installed, and in CI the browser tests have to run"
    return playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)


def watched_context(
    chromium: Browser,
    base_url: str,
    problems: list[str],
    other_sites: tuple[str, ...] = (),
    **options: Any,
) -> BrowserContext:
    """A browser of its own, with its own cookies. What goes wrong on its pages is added to
    ``problems``. ``other_sites`` are addresses that the shop may lead to.
    """
    context = chromium.new_context(base_url=base_url, **options)
    context.set_default_timeout(PATIENCE_MS)
    context.on("console", lambda message: problems.extend(_blocked(message)))
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on(
        "request",
        lambda request: (
            request.url.startswith((base_url, "data:", *other_sites))
            or problems.append(f"asks another host: {request.url}")
        ),
    )
    return context


def _blocked(message: ConsoleMessage) -> list[str]:
    return [message.text] if "Content Security Policy" in message.text else []


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    # The locator waits where the mailbox is just being loaded again.
    pixels: int = page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth")
    return pixels
