"""Every page and every state with an error, in Chromium: accessible, by keyboard, without
JavaScript, on a phone and a desktop, in light and dark.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, Response
from pyramid.exceptions import URLDecodeError
from pyramid.interfaces import IRoutesMapper
from pyramid.request import Request
from pyramid.router import Router

from tests.support import page_checks
from tests.support.chromium import sideways, watched_context
from tests.support.every_page import NOT_PAGES, PAGES, PageOrState
from tests.support.visit import Visit

PHONE, DESKTOP = 320, 1280
SCHEMES = ("light", "dark")
every_page = pytest.mark.parametrize("wanted", PAGES, ids=lambda page: page.name)

Look = Callable[..., Page]
"""Opens a page of the list in a browser of its own."""


@pytest.fixture
def look(chromium: Browser, shop: tuple[Router, str]) -> Iterator[Look]:
    """Opens a page, and checks that it is the one that the list names."""
    problems: list[str] = []
    with ExitStack() as during:

        def look(wanted: PageOrState, *, language: str = "en", **options: object) -> Page:
            # Colours that still change would be measured on their way.
            context = watched_context(
                chromium,
                shop[1],
                problems,
                locale=language,
                reduced_motion="reduce",
                **options,
            )
            during.callback(context.close)
            page = context.new_page()
            documents: list[Response] = []

            def watch(response: Response) -> None:
                if response.request.is_navigation_request() and response.frame == page.main_frame:
                    documents.append(response)
                elif response.status >= 400:
                    problems.append(f"{response.status} for {response.url}")

            page.on("response", watch)
            wanted.open(Visit(shop[0], page, during, language))
            headings = page.locator("h1").all_inner_texts()
            assert len(headings) == 1, headings
            assert re.fullmatch(_heading(shop[0], wanted.heading, language), headings[0])
            assert documents[-1].status == wanted.status
            assert _route(shop[0], page.url) == wanted.route
            return page

        yield look
    assert problems == []


def _heading(app: Router, text: str, language: str) -> str:
    """A pattern for the heading in that language."""
    translated = app.registry.languages.translations(language).gettext(text)
    return re.sub(r"%\\\(\w+\\\)s|%\(\w+\)s", ".+", re.escape(translated))


def _route(app: Router, url: str) -> str | None:
    try:
        route = app.registry.getUtility(IRoutesMapper)(Request.blank(url))["route"]
    except URLDecodeError:
        return None
    return route and route.name


@every_page
def test_a_page_is_accessible_and_works_by_keyboard(look: Look, wanted: PageOrState) -> None:
    page = look(wanted, viewport={"width": DESKTOP, "height": 900})
    problems = [*page_checks.weight(page), *page_checks.targets(page), *page_checks.axe(page)]
    if wanted.status == 422:
        problems += page_checks.error_summary(page)
    problems += page_checks.keyboard(page)
    page.set_viewport_size({"width": PHONE, "height": 900})
    page.emulate_media(color_scheme="dark")
    problems += [*page_checks.order(page), *page_checks.targets(page), *page_checks.axe(page)]
    if over := sideways(page):
        problems.append(f"scrolls sideways by {over} px")
    problems += page_checks.enter(page)
    assert not problems, "\n".join(problems)


@every_page
def test_a_page_works_without_javascript_and_in_german(look: Look, wanted: PageOrState) -> None:
    phone = {"width": PHONE, "height": 700}
    page = look(wanted, language="de", java_script_enabled=False, viewport=phone)
    assert sideways(page) == 0
    assert page.locator("button:not([type=submit])").count() == 0
    if wanted.status == 422:
        assert not [*page_checks.error_summary(page)]


def test_every_route_with_a_page_is_in_the_list(shop: tuple[Router, str]) -> None:
    views = shop[0].registry.introspector.get_category("views")
    with_get = {
        view["introspectable"]["route_name"]
        for view in views
        if "GET" in (view["introspectable"]["request_methods"] or ["GET"])
    }
    assert with_get - {None} - {page.route for page in PAGES} == set(NOT_PAGES)
