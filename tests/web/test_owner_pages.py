"""The owner's own pages: Markdown files, linked in every footer."""

from pathlib import Path

import pytest
from webtest import TestApp

from app.settings import SettingsError
from app.web.owner_pages import read_page, read_pages
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "terms.md").write_text("# Terms of sale\n\n1. One\n2. Two\n")
    (folder / "terms.de.md").write_text("\N{BYTE ORDER MARK}# AGB\n\nDeutsch.\n", "utf-8")
    (folder / "imprint.md").write_text("Imprint & *contact*\n=======\n\nLetter Lane 1\n")
    (folder / "notes.txt").write_text("not a page")
    return folder


@pytest.fixture
def browser(make_app: MakeApp, settings_values: dict[str, str], folder: Path) -> TestApp:
    return another_browser(make_app(settings_values | {"site.pages": str(folder)}))


@on_sqlite
def test_every_footer_links_to_the_pages_in_order(browser: TestApp) -> None:
    for path in ("/", "/sign-in", "/no-such-page"):
        links = browser.get(path, status="*").html.footer.select(".owner-pages a")
        assert [(link["href"], link.text) for link in links] == [
            ("/pages/imprint", "Imprint & contact"),
            ("/pages/terms", "Terms of sale"),
        ]
    assert browser.get("/").click("Terms of sale").html.h1.text == "Terms of sale"


@on_sqlite
def test_a_page_is_shown_in_the_shops_style(browser: TestApp) -> None:
    page = browser.get("/pages/imprint")
    assert page.html.title.text == "Imprint & contact · Pillarbox"
    assert [heading.text for heading in page.html.find_all("h1")] == ["Imprint & contact"]
    assert page.html.main.p.text == "Letter Lane 1"
    assert page.html.footer.find(attrs={"aria-current": "page"}).text == "Imprint & contact"
    assert "Set-Cookie" not in page.headers


@on_sqlite
def test_a_reader_gets_the_page_in_the_readers_language(browser: TestApp) -> None:
    german = {"Accept-Language": "de-AT"}
    page = browser.get("/pages/terms", headers=german)
    assert page.html.h1.text == "AGB"
    assert page.html.select_one(".own-words")["lang"] == "de"
    links = page.html.footer.select(".owner-pages a")
    assert [link.text for link in links] == ["Imprint & contact", "AGB"]
    assert browser.get("/pages/imprint", headers=german).html.h1.text == "Imprint & contact"


@on_sqlite
@pytest.mark.parametrize("name", ["x", "terms.de", "notes", "..%2fimprint", "%C3%BC"])
def test_another_page_is_not_found(browser: TestApp, name: str) -> None:
    browser.get(f"/pages/{name}", status=404)


@on_sqlite
def test_without_the_setting_there_are_no_pages(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    browser = another_browser(make_app(settings_values))
    assert not browser.get("/").html.select(".owner-pages")
    browser.get("/pages/imprint", status=404)


@pytest.mark.parametrize(
    ("words", "html"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("<b onclick=x>b</b>", "&lt;b onclick=x&gt;"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("![x](https://elsewhere.example/x.png)", "https://elsewhere.example/x.png"),
        ("# Second", "<h2>Second</h2>"),
        ("[x](/basket)", '<a href="/basket">x</a>'),
        ("| a |\n|--:|\n| 1 |", '<td class="amount">1</td>'),
        ("| a |\n|:-:|\n| 1 |", "<td>1</td>"),
    ],
)
def test_what_a_page_may_hold(tmp_path: Path, words: str, html: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"# Title\n\n{words}\n")
    page = read_page(path)
    assert html in page.html
    assert not any(bad in page.html for bad in ("<script", "<b ", "<img", "style=", 'href="java'))
    assert page.html.count("<h1>") == 1


@on_sqlite
def test_all_that_is_wrong_is_told_at_the_start(
    make_app: MakeApp, settings_values: dict[str, str], folder: Path
) -> None:
    (folder / "No Name.md").write_text("# x")
    (folder / "empty.md").write_text("")
    (folder / "later.md").write_text("Words, then\n\n# a title")
    (folder / "untitled.md").write_text("#\n\nx")
    (folder / "latin.md").write_bytes(b"# \xfc")
    (folder / "folder.md").mkdir()
    with pytest.raises(SettingsError) as error:
        read_pages(folder)
    lines = str(error.value).splitlines()
    assert [line.partition(" cannot be shown: ")[0] for line in lines] == [
        f"site.pages: {name}.md"
        for name in ("No Name", "empty", "folder", "later", "latin", "untitled")
    ]
    assert "rename it" in lines[0]
    assert 'write it as "# Imprint"' in lines[1]
    assert "save it as UTF-8" in lines[4]
    with pytest.raises(SettingsError):
        make_app(settings_values | {"site.pages": str(folder)})
