"""What browser tests share: the shop on a port of its own, and Debian's Chromium in front of it.

Every page that a test opens is watched: a script that fails, something that the page's
Content-Security-Policy blocks, or a request to another host fails the test.

``TEST_PICTURES=/some/folder`` keeps the screenshots there; otherwise they go where pytest keeps its
temporary files.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    sync_playwright,
)
from pyramid.router import Router
from waitress.server import create_server

from app import configure
from app.shop.sample_catalogue import add_sample_catalogue
from tests.support.relay import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
]
PATIENCE_MS = 15_000
"""How long a click or a text may take on a busy machine."""

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def shop(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[tuple[Router, str]]:
    """The application, and the address where it is served."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copy(migrated_sqlite, folder / "pillarbox.sqlite")
    port = free_port()
    base_url = f"http://localhost:{port}"
    config = configure(
        {"here": str(folder)},
        {
            "environment": "development",
            "site.name": "Pillarbox",
            "site.base_url": base_url,
            "site.support_email": "help@example.org",
            "database.url": "sqlite:///pillarbox.sqlite",
            "secret": "a secret for tests that is long enough to be taken",
            "email.debug": "true",
            "email.from": "Pillarbox <shop@example.org>",
        },
    )
    config.registry.email_composer.raises = True
    application = config.make_wsgi_app()
    with config.registry.database.transaction(write=True) as session:
        add_sample_catalogue(session)
    server = create_server(application, host="127.0.0.1", port=port, threads=4)
    thread = threading.Thread(target=server.run, name="shop")
    thread.start()
    yield application, base_url
    server.close()
    thread.join(10)
    server.task_dispatcher.shutdown()
    config.registry.database.dispose()


# Of each module, not of the session: while it is open, asyncio has a running loop in this thread.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: apt install chromium")
    assert CHROMIUM, "Chromium is not installed, and in CI the browser tests have to run"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, shop: tuple[Router, str]) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own: ``open_page("/", javascript=False, width=320)``."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(
        path: str, *, javascript: bool = True, width: int = 1280, scheme: str = "light"
    ) -> Page:
        context = chromium.new_context(
            base_url=shop[1],
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", lambda message: problems.extend(_blocked(message)))
        context.on("weberror", lambda error: problems.append(str(error.error)))
        context.on(
            "request",
            lambda request: (
                request.url.startswith((shop[1], "data:"))
                or problems.append(f"asks another host: {request.url}")
            ),
        )
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def _blocked(message: ConsoleMessage) -> list[str]:
    return [message.text] if "Content Security Policy" in message.text else []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    named = os.environ.get("TEST_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    # The locator waits where the mailbox is just being loaded again.
    pixels: int = page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth")
    return pixels
