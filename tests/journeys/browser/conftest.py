"""What browser tests share: the shop on a port of its own, and Chromium in front of it. A test
fails when something goes wrong on a page that it opened.

``TEST_PICTURES=/some/folder`` keeps the screenshots there; otherwise they go where pytest keeps its
temporary files.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pyramid.router import Router
from sqlalchemy import delete

from app.web.limits import RateLimit
from tests.support.chromium import OpenPage, launch, watched_context
from tests.support.served_shop import served

IMPRINT = f"""# Imprint

Pillarbox Ltd, 12 St James's Square, {"Llanfairpwllgwyngyll" * 3}

| VAT | Rate |
|-----|-----:|
| Books | 7 % |
"""


@pytest.fixture(scope="session")
def shop(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[tuple[Router, str]]:
    """The application, and the address where it is served."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copy(migrated_sqlite, folder / "pillarbox.sqlite")
    (folder / "pages").mkdir()
    (folder / "pages" / "imprint.md").write_text(IMPRINT, encoding="utf-8")
    with served(folder, {"site.pages": "pages"}) as shop:
        yield shop


@pytest.fixture(scope="session")
def other_sites() -> tuple[str, ...]:
    """The addresses of other sites that the pages may lead to: none. Modules replace this."""
    return ()


@pytest.fixture(autouse=True)
def without_limits(shop: tuple[Router, str]) -> None:
    """All tests come from one network, and no test is held back by what others did."""
    with shop[0].registry.database.transaction(write=True) as session:
        session.execute(delete(RateLimit))


# One for each module and not for the session: while Playwright is open, asyncio has a running loop
# in this thread.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(
    chromium: Browser, shop: tuple[Router, str], other_sites: tuple[str, ...]
) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own: ``open_page("/", javascript=False, width=320)``."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(
        path: str,
        *,
        javascript: bool = True,
        width: int = 1280,
        scheme: str = "light",
        language: str = "en-US",
    ) -> Page:
        context = watched_context(
            chromium,
            shop[1],
            problems,
            other_sites,
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            locale=language,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    named = os.environ.get("TEST_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
