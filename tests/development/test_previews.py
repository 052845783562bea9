"""The preview pages, composed from the templates as they are now."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyramid.router import Router
from webtest import TestApp

from app import configure
from app.previews.preview import previews_of
from tests.support.clock import Clock
from tests.support.databases import on_sqlite

pytestmark = on_sqlite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose templates win over the shop's own."""
    (tmp_path / "templates" / "email").mkdir(parents=True)
    return tmp_path / "templates"


@pytest.fixture
def app(settings_values: dict[str, str], clock: Clock, folder: Path) -> Iterator[Router]:
    """The application, with templates that a test may change."""
    config = configure({}, settings_values)
    config.registry.clock = clock
    config.add_email_templates(str(folder))
    yield config.make_wsgi_app()
    config.registry.database.dispose()


@pytest.fixture
def welcome(folder: Path) -> Callable[[str], None]:
    """Writes the welcome's template: ``welcome("its content")``."""

    def write(content: str) -> None:
        path = folder / "email" / "welcome.jinja2"
        path.unlink(missing_ok=True)
        path.write_text(
            '{% extends "email/layout.jinja2" %}\n'
            "{% block subject %}A warm welcome{% endblock %}\n"
            "{% block preheader %}All that one wants to know at the start.{% endblock %}\n"
            f"{{% block content %}}{content}{{% endblock %}}\n",
            encoding="utf-8",
        )

    return write


def test_every_kind_sample_and_language_is_listed_and_shown(browser: TestApp, app: Router) -> None:
    page = browser.get("/dev/emails")
    hrefs = {link["href"] for link in page.html.select(".kind dd a")}
    previews = [
        preview for kind in app.registry.email_kinds for preview in previews_of(app.registry, kind)
    ]
    assert hrefs == {
        f"/dev/emails/{preview.kind.name}?sample={preview.sample}&language={preview.language}"
        for preview in previews
    }
    for href in hrefs:
        assert browser.get(href).html.find("iframe")


def test_a_preview_shows_its_first_sample_in_english_at_first(browser: TestApp) -> None:
    page = browser.get("/dev/emails/welcome")
    chosen = [link.get_text() for link in page.html.select(".chooser [aria-current]")]
    assert chosen == ["short", "English", "Tablet, 600", "Light and dark", "With <style>"]
    assert page.html.h1.get_text() == "Your account is ready"


@pytest.mark.parametrize(
    "path",
    ["x", "welcome?sample=x", "welcome?language=xx", "x.eml", "x/html", "welcome/html?sample=x"],
)
def test_what_there_is_no_sample_of_is_not_found(browser: TestApp, path: str) -> None:
    browser.get(f"/dev/emails/{path}", status=404)


@pytest.mark.parametrize(
    ("query", "frames"),
    [
        ("width=phone", [("phone", "light"), ("phone", "dark")]),
        ("width=desktop&scheme=dark", [("desktop", "dark")]),
        ("width=all&scheme=light", [("phone", "light"), ("tablet", "light"), ("desktop", "light")]),
        ("width=nonsense&scheme=&style=x", [("tablet", "light"), ("tablet", "dark")]),
    ],
)
def test_an_email_is_framed_as_it_was_asked_for(
    browser: TestApp, query: str, frames: list[tuple[str, str]]
) -> None:
    page = browser.get(f"/dev/emails/welcome?{query}")
    found = page.html.find_all("iframe")
    assert [(f.find_parent("figure")["class"][0]) for f in found] == [width for width, _ in frames]
    for frame, (_, scheme) in zip(found, frames, strict=True):
        assert f"scheme={scheme}" in frame["src"]
        assert "allow-scripts" not in frame["sandbox"]
        assert "allow-same-origin" not in frame["sandbox"]


def test_a_frame_may_style_itself_and_open_links_and_nothing_else(browser: TestApp) -> None:
    frame = browser.get("/dev/emails/welcome").html.find("iframe")
    response = browser.get(frame["src"])
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert response.html.base["target"] == "_blank"
    policy = browser.get("/dev/emails/welcome").headers["Content-Security-Policy"]
    assert "frame-src 'self'" in policy
    assert "unsafe" not in policy


def test_light_and_dark_need_no_setting_of_the_reader(browser: TestApp) -> None:
    path = "/dev/emails/purchase_receipt/html?sample=hostile"
    own = browser.get(path).text
    light = browser.get(path + "&scheme=light").text
    dark = browser.get(path + "&scheme=dark").text
    assert own.count("prefers-color-scheme") == 1
    assert "prefers-color-scheme" not in light + dark
    assert "@media (max-width: 0)" in light
    assert "@media (min-width: 0)" in dark
    assert '<meta name="color-scheme" content="light">' in light
    assert '<meta name="color-scheme" content="dark">' in dark


def test_without_its_style_an_email_keeps_what_is_inlined(browser: TestApp) -> None:
    page = browser.get("/dev/emails/welcome/html?style=off&width=desktop").html
    assert page.find("style") is None
    assert page.find(style=True)


def test_a_preview_shows_headers_size_text_and_source(browser: TestApp) -> None:
    page = browser.get("/dev/emails/purchase_receipt?sample=long")
    headings = [heading.get_text() for heading in page.html.find_all("h2")]
    assert headings == [
        "HTML", "Plain text", "Checks", "Spam score", "Send it to yourself", "Links", "Size",
        "Headers", "Source",
    ]  # fmt: skip
    assert "Gmail cuts off an email after 102.0 KB" in page.text
    assert page.click("Download as .eml").headers["Content-Disposition"] == (
        'attachment; filename="purchase_receipt.long.en.eml"'
    )


def test_what_the_lint_finds_stands_beside_the_email(
    browser: TestApp, welcome: Callable[[str], None]
) -> None:
    welcome('<h1>Hello</h1><img src="http://localhost/x.png">')
    page = browser.get("/dev/emails/welcome")
    findings = page.html.select(".findings li")
    assert any("A7" in finding.get_text() and "alt" in finding.get_text() for finding in findings)
    anchor = page.html.select_one(".findings a")["href"]
    assert anchor.startswith("#html-")
    assert page.html.select_one(anchor)
    card = browser.get("/dev/emails").html.select_one('a[href*="/welcome?"]').find_parent("li")
    assert f"{len(findings)} findings" in card.get_text()


def test_a_changed_template_is_seen_at_the_next_load(
    browser: TestApp, welcome: Callable[[str], None]
) -> None:
    for words in ("The first words", "The second words"):
        welcome(f"<h1>{words}</h1>")
        assert words in browser.get("/dev/emails/welcome/html").text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{{ no_such_thing }}", "UndefinedError: 'no_such_thing' is undefined"),
        ("{{ 1 +/ 2 }}", "TemplateSyntaxError"),
        ("{{ sign_in_link | no_such_filter }}", "No filter named 'no_such_filter'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
    ],
)
def test_a_broken_template_says_where_and_what(
    browser: TestApp, welcome: Callable[[str], None], content: str, problem: str
) -> None:
    welcome(f"\n{content}\n")
    page = browser.get("/dev/emails/welcome", status=500)
    assert problem in page.html.main.get_text()
    assert "welcome.jinja2, line 5" in page.text
    assert content in page.html.select_one(".wrong").get_text()
    index = browser.get("/dev/emails")
    assert "cannot be rendered" in index.text
    assert index.click("password_reset").html.find("iframe"), "the others are still there"
    welcome("<h1>Mended</h1>")
    browser.get("/dev/emails/welcome")


def test_a_problem_outside_of_templates_is_shown_without_a_place(
    browser: TestApp, folder: Path
) -> None:
    (folder / "email" / "welcome.jinja2").write_text("no title in it")
    page = browser.get("/dev/emails/welcome", status=500)
    assert "ValueError" in page.text
    assert page.html.select_one(".wrong") is None
