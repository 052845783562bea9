"""The language of pages: the customer's own, else what the browser asks for, else English."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.router import Router
from webtest import TestApp

from app.web import rendering
from app.web.forms import Form
from tests.support.accounts import add_account, heading, sign_in, summary
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite

pytestmark = on_sqlite


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de", "de"),
        ("de-AT, en;q=0.5", "de"),
        ("en-GB, de;q=0.9", "en"),
        ("fr, de;q=0.5, en;q=0.3", "de"),
        ("fr", "en"),
        ("*", "en"),
        ("de;q=0", "en"),
        ("de;q=1.5", "en"),
        ("\xff", "en"),
        ("", "en"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/sign-in", "/no-such-page"])
def test_a_page_comes_in_the_language_that_the_browser_asks_for(
    browser: TestApp, path: str, asked: str, language: str
) -> None:
    page = browser.get(path, extra_environ={"HTTP_ACCEPT_LANGUAGE": asked}, status="*")
    assert (page.html.html["lang"], page.html.html["dir"]) == (language, "ltr")
    assert ("Zum Inhalt" in page.text) == (language == "de")
    assert page.headers["Vary"] == "Accept-Language"


def test_neither_query_nor_cookie_changes_the_language(browser: TestApp) -> None:
    browser.set_cookie("_LOCALE_", "de")
    assert browser.get("/sign-in?_LOCALE_=de").html.html["lang"] == "en"


def test_the_customers_own_language_wins(browser: TestApp, app: Router) -> None:
    add_account(app.registry.database, locale="de")
    sign_in(browser)
    english = {"Accept-Language": "en"}
    assert heading(browser.get("/account", headers=english)) == "Ihr Konto"
    assert browser.get("/no-such-page", headers=english, status=404).html.html["lang"] == "de"


def test_a_language_that_went_away_becomes_the_nearest(browser: TestApp, app: Router) -> None:
    add_account(app.registry.database, locale="de_CH")
    sign_in(browser)
    assert browser.get("/account").html.html["lang"] == "de"


def test_forms_and_their_problems_are_translated(browser: TestApp) -> None:
    german = {"Accept-Language": "de"}
    form = browser.get("/sign-up", headers=german).forms[0]
    form["email"], form["password"] = "anna@", "passwordpassword"
    page = form.submit(headers=german, status=422)
    assert page.html.title.get_text().startswith("Fehler: ")
    assert summary(page) == [
        "Geben Sie eine E-Mail-Adresse im Format name@example.com ein.",
        "Wählen Sie ein Passwort, das schwerer zu erraten ist. Dieses enthält Wiederholungen oder"
        " ist weit verbreitet.",
    ]


def test_numbers_in_texts_and_plurals_are_translated(browser: TestApp, app: Router) -> None:
    german = {"Accept-Language": "de"}
    form = browser.get("/sign-up", headers=german).forms[0]
    form["email"], form["password"] = "anna@example.org", "kurz"
    assert summary(form.submit(headers=german, status=422)) == [
        "Verwenden Sie mindestens 15\xa0Zeichen."
    ]


def test_static_files_are_the_same_for_everybody(browser: TestApp) -> None:
    assert "Vary" not in browser.get("/static/pillarbox.css").headers


@pytest.mark.parametrize(
    ("accepted", "day", "moment"),
    [
        ("", "November 22, 2026", "Nov 22, 2026, 5:49 PM UTC"),
        ("en", "November 22, 2026", "Nov 22, 2026, 5:49 PM UTC"),
        ("en-GB,en;q=0.9", "22 November 2026", "22 Nov 2026, 17:49 UTC"),
        ("en;q=0.5, en-AU", "22 November 2026", "22 Nov 2026, 5:49 pm UTC"),
        ("fr-FR,en-GB;q=0.5", "22 November 2026", "22 Nov 2026, 17:49 UTC"),
        ("en-XX, *;q=0.1, x-y", "November 22, 2026", "Nov 22, 2026, 5:49 PM UTC"),
        ("de-AT,en-GB;q=0.9", "22. November 2026", "22.11.2026, 17:49 UTC"),
        ("ja-JP", "November 22, 2026", "Nov 22, 2026, 5:49 PM UTC"),
    ],
)
def test_dates_are_written_as_in_the_visitors_country(
    settings_values: dict[str, str], accepted: str, day: str, moment: str
) -> None:
    at = datetime(2026, 11, 22, 17, 49, 3, 123456, tzinfo=UTC)

    def dates(request: Request) -> str:
        context: Any = {"request": request}
        return rendering.date(context, at) + rendering.date_time(context, at)

    config = Configurator(settings=dict(settings_values))
    config.include("app.web")
    config.add_route("x", "/x")
    config.add_view(dates, route_name="x", renderer="string")
    browser = another_browser(config.make_wsgi_app(), HTTP_ACCEPT_LANGUAGE=accepted)
    response = browser.get("/x")
    times = BeautifulSoup(response.text, "html.parser").find_all("time")
    assert [" ".join(time.text.split()) for time in times] == [day, moment]
    assert [time["datetime"] for time in times] == ["2026-11-22", "2026-11-22T17:49:03+00:00"]
    assert "Accept-Language" in response.headers["Vary"]


Workshop = Callable[[Callable[[Request], Any]], TestApp]


@pytest.fixture
def workshop(settings_values: dict[str, str]) -> Iterator[Workshop]:
    """Serves a view of the test at /x, on ``app.web``, to a German browser."""
    config = Configurator(settings=dict(settings_values))
    config.include("app.database")
    config.include("app.web")
    config.add_route("x", "/x")

    def browser(view: Callable[[Request], Any]) -> TestApp:
        config.add_view(view, route_name="x", renderer="string")
        # Reading request.account reads the database, which does not answer.
        config.add_request_method(lambda request: 1 / 0, "account", property=True)
        return another_browser(config.make_wsgi_app(), HTTP_ACCEPT_LANGUAGE="de")

    yield browser
    config.registry.database.dispose()


def test_the_page_of_an_unexpected_error_does_not_read_the_account_for_its_language(
    workshop: Workshop,
) -> None:
    def fail(request: Request) -> None:
        raise RuntimeError

    page = workshop(fail).get("/x", status=500)
    assert heading(page) == "Bei uns ist etwas schiefgegangen"


def test_the_words_of_wtforms_itself_are_translated_too(workshop: Workshop) -> None:
    def say(request: Request) -> str:
        request.locale_name = "de"
        form = Form(request)
        return str(form.meta.get_translations(form).gettext("Not a valid choice."))

    assert workshop(say).get("/x").text == "Keine gültige Auswahl."
