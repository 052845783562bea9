"""The owner's own pages, such as the imprint: Markdown files in the folder of ``site.pages``.

``imprint.md`` is the page ``/pages/imprint``, and ``imprint.de.md`` is its German version. Every
page's footer links to them, in the order of their names. The files are read at the start.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request

from app.i18n.languages import SOURCE
from app.settings import SettingsError

FILE_NAME = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)(?:\.([a-z]{2,3}(?:_[A-Za-z]+)*))?\.md")

# Raw HTML stays text. Images are off, because browsers load none from elsewhere on our pages.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


@dataclass(frozen=True, slots=True)
class OwnerPage:
    """A page, or one language of it. ``language`` is ``""`` where the file names none."""

    name: str
    language: str
    title: str
    html: Markup


def read_page(path: Path) -> OwnerPage:
    """Raises ``ValueError`` with what is wrong with the file and what to do."""
    name = FILE_NAME.fullmatch(path.name)
    if name is None:
        raise ValueError(
            "its name is not like imprint.md or imprint.de.md (a-z, 0-9 and hyphens); rename it"
        )
    try:
        tokens = _MARKDOWN.parse(path.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    if not tokens or tokens[0].tag != "h1" or not tokens[1].content:
        raise ValueError('it does not begin with its title; write it as "# Imprint"')
    html = _MARKDOWN.renderer.render(_fitted(tokens), _MARKDOWN.options, {})
    return OwnerPage(name[1], name[2] or "", _text(tokens[1]), Markup(html))  # noqa: S704 (escaped)


def _text(heading: Token) -> str:
    """The words of a heading, without its markup."""
    return "".join(part.content for part in heading.children or () if part.content)


def _fitted(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens with one heading of the first level, and with a class in place of the inline style
    of a table's cell, which the Content-Security-Policy forbids.
    """
    # The first three tokens are the title's heading.
    for token in tokens[3:]:
        if token.tag == "h1":
            token.tag = "h2"
        if token.type in ("th_open", "td_open") and token.attrs.pop("style", "") == (
            "text-align:right"
        ):
            token.attrs["class"] = "amount"
    return tokens


class OwnerPages:
    """All pages, by name and language."""

    def __init__(self, pages: Sequence[OwnerPage] = ()) -> None:
        self._pages: dict[str, dict[str, OwnerPage]] = {}
        for page in pages:
            self._pages.setdefault(page.name, {})[page.language] = page

    def all(self, language: str) -> list[OwnerPage]:
        """Every page in the version for a reader of ``language``, in the order of their names."""
        return [self._best(self._pages[name], language) for name in sorted(self._pages)]

    def get(self, name: str, language: str) -> OwnerPage | None:
        """One page in the version for a reader of ``language``; None when there is no such page."""
        versions = self._pages.get(name)
        return self._best(versions, language) if versions else None

    def _best(self, versions: dict[str, OwnerPage], language: str) -> OwnerPage:
        for wanted in (language, language.partition("_")[0], "", SOURCE):
            if wanted in versions:
                return versions[wanted]
        return versions[min(versions)]


def read_pages(folder: Path) -> OwnerPages:
    """Every ``.md`` file of the folder. Raises ``SettingsError`` with all problems."""
    pages, problems = [], []
    for path in sorted(folder.glob("*.md")):
        try:
            pages.append(read_page(path))
        except ValueError as problem:
            problems.append(f"site.pages: {path.name} cannot be shown: {problem}")
    if problems:
        raise SettingsError("\n".join(problems))
    return OwnerPages(pages)


def show(request: Request) -> dict[str, OwnerPage]:
    """Show one page."""
    pages: OwnerPages = request.registry.owner_pages
    page = pages.get(request.matchdict["name"], request.locale_name)
    if page is None:
        raise HTTPNotFound()
    return {"own_page": page}


def includeme(config: Configurator) -> None:
    """Read the pages and serve them under ``/pages/``."""
    folder = config.registry.pillarbox.site.pages
    config.registry.owner_pages = read_pages(folder) if folder else OwnerPages()
    config.add_route("owner_page", "/pages/{name}")
    config.add_view(
        show, route_name="owner_page", request_method="GET", renderer="owner_page.jinja2"
    )
