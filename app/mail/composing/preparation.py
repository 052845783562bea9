"""Reduces an email's HTML to what html2text needs, for ``plaintext``.

Hidden parts are removed, layout tables are unwrapped, data tables become aligned columns, and links
become marks.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from html import escape, unescape
from urllib.parse import unquote

from app.mail.composing.columns import BREAK, Table
from app.mail.composing.tags import Tag, visible_pieces

# Marks, from Unicode's private use area. They stand for what html2text and wrapping must not break.
# BREAK is one of them.
TABLE, URL, LABEL, LABEL_END, NBSP, END, SPACE = "\ue000\ue001\ue002\ue003\ue004\ue006\ue007"
FORBIDDEN = re.compile("[\ue000-\ue007\u202a-\u202e\u2066-\u2069]")
"""Removed from the HTML: the marks, because a customer's name could imitate them, and the
characters that change the direction of all text behind them.
"""


class Preparation:
    """Reduces an email's HTML to what html2text needs: paragraphs and lists, with marks for tables
    and links.
    """

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.tables: list[str] = []
        self._out = ["<p>"]
        self._prose: list[str] = []
        """The text after the last tag of ``_out``."""
        self._words = self._prose
        """The list that text is added to: the prose, a cell or a link."""
        self._table: Table | None = None
        self._kinds: list[_TableKind] = []
        """The kind of every open table."""
        self._is_in_a_cell = False
        """Whether the innermost table stands in a cell of a data table."""
        self._lists: list[int | None] = []
        """For every open list, the number of its next item, or None if it has no numbers."""
        self._preformatted = 0
        """The number of open ``<pre>`` elements."""
        self._link: tuple[str, list[str]] | None = None
        """The address of the open link, and the list that text is added to after it."""

    def prepare(self, html: str) -> str:
        """The HTML for html2text."""
        for tag, words in visible_pieces(html):
            if handler := _HANDLERS.get(tag.name):
                handler(self, tag)
            if "&" in words:
                words = FORBIDDEN.sub("", unescape(words))
            if "\N{NO-BREAK SPACE}" in words:
                words = words.replace("\N{NO-BREAK SPACE}", NBSP)
            if self._preformatted:
                self._add_lines(words, is_first=tag.name == "pre")
            elif words:
                self._words.append(words)
        self._put("<p>")
        return "".join(self._out)

    def _put(self, tag: str) -> None:
        """Write the prose so far, then a tag. A second ``<p>`` in a row is left out."""
        prose = "".join(self._prose)
        self._prose.clear()
        if prose.strip() or tag != "<p>" or self._out[-1] != "<p>":
            self._out += (escape(prose, quote=False), tag)

    def _add_lines(self, words: str, is_first: bool) -> None:
        """Add the words of a ``<pre>``, with their lines and spaces."""
        if is_first:
            words = words.removeprefix("\n")  # HTML ignores a line break after the tag.
        lines = words.expandtabs().split("\n")
        for number, line in enumerate(lines):
            if number:
                self.line_break(Tag())
            if not line.strip() and 0 < number < len(lines) - 1:
                line = " "  # Between two lines: an empty line stays.
            kept = re.sub(" (?= )", SPACE, line)
            indent = len(kept) - len(kept.lstrip(" " + SPACE))
            self._words.append(SPACE * indent + kept[indent:])

    def _separate(self, markup: str, in_cell: str = BREAK) -> None:
        """Keep the next words apart from those before: by ``markup``, or by ``in_cell`` in a cell
        of a data table, or by a space in a link.
        """
        if self._link is not None:
            self._words.append(" ")
        elif self._table is not None:
            self._words.append(in_cell)
        else:
            self._put(markup)

    def block(self, tag: Tag) -> None:
        self._separate("<p>")

    def line_break(self, tag: Tag) -> None:
        self._separate("<br>")

    def start_preformatted(self, tag: Tag) -> None:
        self.block(tag)
        self._preformatted += 1

    def end_preformatted(self, tag: Tag) -> None:
        self._preformatted = max(self._preformatted - 1, 0)
        self.block(tag)

    def start_list(self, tag: Tag) -> None:
        if not self._lists:
            self._separate("<p>")
        number = _whole_number(tag.attributes.get("start"))
        self._lists.append(number if tag.name == "ol" else None)
        self._separate(f"<{tag.name}>".replace("menu", "ul"))

    def end_list(self, tag: Tag) -> None:
        if self._lists:
            self._lists.pop()
        self._separate(f"<{tag.name}>".replace("menu", "ul"))
        if not self._lists:
            self._separate("<p>")

    def start_item(self, tag: Tag) -> None:
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._separate("<li>", f"{BREAK}- ")
        else:
            number = _whole_number(tag.attributes.get("value"), number)
            self._lists[-1] = number + 1
            self._separate(f'<li value="{number}">', f"{BREAK}{number}. ")

    def end_item(self, tag: Tag) -> None:
        self._separate("</li>")

    def start_table(self, tag: Tag) -> None:
        if self._table is not None:
            # Its rows become lines of the cell that it stands in.
            self._kinds.append(_TableKind.IN_A_CELL)
            self._is_in_a_cell = True
            self._words.append(BREAK)
        elif tag.attributes.get("role") in ("presentation", "none"):
            self._kinds.append(_TableKind.LAYOUT)
        else:
            self.end_link(tag)
            self._kinds.append(_TableKind.DATA)
            self._table, self._words = Table(), []

    def end_table(self, tag: Tag) -> None:
        kind = self._kinds.pop() if self._kinds else None
        self._is_in_a_cell = bool(self._kinds) and self._kinds[-1] is _TableKind.IN_A_CELL
        if kind is _TableKind.IN_A_CELL:
            self._words.append(BREAK)
        elif kind is _TableKind.DATA and self._table is not None:
            self._put("<p>")
            self._prose.append(f"{TABLE}{len(self.tables)}{END}")
            self._put("<p>")
            self.tables.append(self._table.text())
            self._table, self._words = None, self._prose

    def caption(self, tag: Tag) -> None:
        if self._table is None or self._is_in_a_cell:
            self.block(tag)
        else:
            self._words = self._table.caption

    def row(self, tag: Tag) -> None:
        if self._is_in_a_cell:
            self._words.append(BREAK)
        elif self._table is not None:
            self._table.rows.append([])

    def cell(self, tag: Tag) -> None:
        if self._is_in_a_cell:
            self._words.append(" ")
        elif self._table is None:
            self.block(tag)
        else:
            self._words = self._table.cell(tag.attributes)

    def end_cell(self, tag: Tag) -> None:
        if self._table is None:
            self.block(tag)

    def start_link(self, tag: Tag) -> None:
        self.end_link(tag)
        if href := tag.attributes.get("href"):
            self._link, self._words = (href, self._words), []

    def end_link(self, tag: Tag) -> None:
        if self._link is None:
            return
        label = " ".join("".join(self._words).split())
        (href, self._words), self._link = self._link, None
        address = _shown_address(href)
        if label == address:
            # The text is the address, which must not be broken and need not be repeated.
            label = ""
        if address:
            label = f"{LABEL}{label}{LABEL_END}{URL}{len(self.urls)}{END}"
            self.urls.append(address)
        self._words.append(label)

    def image(self, tag: Tag) -> None:
        alt = FORBIDDEN.sub("", tag.attributes.get("alt", ""))
        self._words.append(alt.replace("\N{NO-BREAK SPACE}", NBSP))


class _TableKind(Enum):
    LAYOUT = auto()
    DATA = auto()
    IN_A_CELL = auto()
    """Any table in a cell of a data table."""


_Handler = Callable[[Preparation, Tag], None]
_BLOCKS = (
    *("address", "article", "aside", "blockquote", "body", "center", "details", "dialog"),
    *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "legend", "main", "nav"),
    *("optgroup", "option", "p", "search", "section", "summary"),
)
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(_BLOCKS, Preparation.block),
    **{f"/{name}": Preparation.block for name in _BLOCKS},
    # The value of a term stands on the line below it.
    **dict.fromkeys(("/dt", "dd", "/dd"), Preparation.line_break),
    "pre": Preparation.start_preformatted,
    "/pre": Preparation.end_preformatted,
    **dict.fromkeys(("ul", "ol", "menu"), Preparation.start_list),
    **dict.fromkeys(("/ul", "/ol", "/menu"), Preparation.end_list),
    "li": Preparation.start_item,
    "/li": Preparation.end_item,
    "table": Preparation.start_table,
    "/table": Preparation.end_table,
    "caption": Preparation.caption,
    "/caption": Preparation.end_cell,
    "tr": Preparation.row,
    **dict.fromkeys(("td", "th"), Preparation.cell),
    **dict.fromkeys(("/td", "/th"), Preparation.end_cell),
    "a": Preparation.start_link,
    "/a": Preparation.end_link,
    "br": Preparation.line_break,
    "img": Preparation.image,
}


def _shown_address(href: str) -> str:
    """What the text says of a link: a web address as it is, the address or number of another
    link, and nothing of a link within the page.
    """
    scheme, colon, rest = href.strip().partition(":")
    if colon and scheme.lower() in ("mailto", "tel", "sms"):
        return FORBIDDEN.sub("", unquote(rest.partition("?")[0])).strip()
    return "" if href.startswith("#") else href


def _whole_number(text: str | None, default: int = 1) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,9}", text) else default
