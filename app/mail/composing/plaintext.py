"""Plain text from an email's HTML, by html2text.

html2text writes Markdown, but the recipient sees the text as it is. So the HTML is prepared first:
hidden parts are removed, layout tables are unwrapped, data tables become aligned columns, and links
become marks that neither html2text nor wrapping can break. Afterwards the text is wrapped to 76
columns, and each mark is replaced by its table or link.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape, unescape

from html2text import HTML2Text

from app.mail.composing.columns import BREAK, WIDTH, Table, wrapped

# Marks, from Unicode's private use area. They stand for what html2text and wrapping must not break.
# BREAK is one of them.
_TABLE, _URL, _LABEL, _LABEL_END, _NBSP, _END = "\ue000\ue001\ue002\ue003\ue004\ue006"
# Removed from the HTML: the marks, because a customer's name could imitate them, and the characters
# that change the direction of all text behind them.
_FORBIDDEN = re.compile("[\ue000-\ue006\u202a-\u202e\u2066-\u2069]")
_LINK = re.compile(f"{_LABEL}([^{_LABEL_END}]*){_LABEL_END}{_URL}(\\d+){_END}")
_BULLET = re.compile(r"\s*(- |\d+\. )")


def plain_text(html: str) -> str:
    """The plain text of a piece of HTML, with every visible word, link and table row of it.

    Lines are at most 76 columns wide, but an address is never broken. A link in prose becomes
    ``text <url>``. For a link that is alone in its paragraph, the address has a line of its own.
    """
    prepared = _Preparation()
    source = prepared.prepare(_FORBIDDEN.sub("", html).replace("\N{NO-BREAK SPACE}", _NBSP))
    converted = _Converter(bodywidth=0).handle(source)
    blocks = [
        _block_text(block.strip(), prepared) for block in converted.split("\n\n") if block.strip()
    ]
    return "\n\n".join(blocks).replace(_NBSP, "\N{NO-BREAK SPACE}") + "\n"


class _Converter(HTML2Text):
    """html2text without Markdown: no emphasis, no links, no tables, no escapes."""

    def __init__(self, bodywidth: int) -> None:
        super().__init__(bodywidth=bodywidth)
        self.unicode_snob = True
        self.ignore_links = True
        self.ignore_images = True
        self.ignore_emphasis = True
        self.ignore_tables = True
        self.ul_item_mark = "-"

    def handle_data(self, data: str, entity_char: bool = False) -> None:
        # html2text escapes text for Markdown, such as "1\\.", but not the character of an entity.
        super().handle_data(data, entity_char=True)


class _Preparation:
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
        self._layout: list[bool] = []
        """For every open table, whether it is a layout table."""
        self._link: tuple[str, list[str]] | None = None
        """The address of the open link, and the list that text is added to after it."""

    def prepare(self, html: str) -> str:
        """The HTML for html2text.

        ``html`` comes from our own templates, so a regular expression can find its tags.
        ``HTMLParser`` also reads malformed HTML, but takes many times as long.
        """
        pieces = ["", *_MARKUP.split(html)]
        hidden = 0  # The number of open elements from the outermost hidden one on.
        for markup, words in zip(pieces[::2], pieces[1::2], strict=True):
            # Templates repeat their tags, so parsed tags are cached. A link is not, because it may
            # be a secret, such as one that resets a password.
            tag = _parse_tag(markup) if "href" in markup else _cached_tag(markup)
            if hidden:
                hidden += tag.depth
            elif tag.is_hidden:
                hidden = tag.depth
            elif tag.handler is not None:
                tag.handler(self, tag)
            if words and not hidden:
                if "&" in words:
                    words = unescape(words).replace("\N{NO-BREAK SPACE}", _NBSP)
                self._words.append(words)
        self._put("<p>")
        return "".join(self._out)

    def _put(self, tag: str) -> None:
        """Write the prose so far, then a tag. A second ``<p>`` in a row is left out."""
        prose = "".join(self._prose)
        self._prose.clear()
        if prose.strip() or tag != "<p>" or self._out[-1] != "<p>":
            self._out += (escape(prose, quote=False), tag)

    def block(self, tag: "_Tag") -> None:
        if self._table is None:
            self._put("<p>")

    def item(self, tag: "_Tag") -> None:
        if self._table is None:
            self._put(f"<{tag.name}>")

    def start_table(self, tag: "_Tag") -> None:
        layout = tag.attributes.get("role") == "presentation"
        self._layout.append(layout)
        if not layout:
            self._table, self._words = Table(), []

    def end_table(self, tag: "_Tag") -> None:
        if self._layout and not self._layout.pop() and self._table is not None:
            self._put("<p>")
            self._prose.append(f"{_TABLE}{len(self.tables)}{_END}")
            self._put("<p>")
            self.tables.append(self._table.text())
            self._table, self._words = None, self._prose

    def caption(self, tag: "_Tag") -> None:
        self.block(tag)
        if self._table is not None:
            self._words = self._table.caption

    def row(self, tag: "_Tag") -> None:
        if self._table is not None:
            self._table.rows.append([])

    def cell(self, tag: "_Tag") -> None:
        self.block(tag)
        if self._table is not None:
            self._words = self._table.cell(tag.attributes)

    def start_link(self, tag: "_Tag") -> None:
        self.end_link(tag)
        if href := tag.attributes.get("href"):
            self._link, self._words = (href, self._words), []

    def end_link(self, tag: "_Tag") -> None:
        if self._link is None:
            return
        label = " ".join("".join(self._words).split())
        (href, self._words), self._link = self._link, None
        address = href.removeprefix("mailto:")
        if label == address:
            # The text is the address, which must not be broken and need not be repeated.
            label = ""
        self._words.append(f"{_LABEL}{label}{_LABEL_END}{_URL}{len(self.urls)}{_END}")
        self.urls.append(address)

    def line_break(self, tag: "_Tag") -> None:
        if self._link is not None:
            self._words.append(" ")
        elif self._table is not None:
            self._words.append(BREAK)
        else:
            self._put("<br>")

    def image(self, tag: "_Tag") -> None:
        self._words.append(tag.attributes.get("alt", ""))


_Handler = Callable[[_Preparation, "_Tag"], None]
_BLOCKS = ("p", "div", "h1", "h2", "h3", "h4", "section", "blockquote")
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(_BLOCKS, _Preparation.block),
    **{f"/{name}": _Preparation.block for name in (*_BLOCKS, "td", "th", "caption")},
    **dict.fromkeys(("ul", "/ul", "ol", "/ol", "li", "/li", "hr"), _Preparation.item),
    "table": _Preparation.start_table,
    "/table": _Preparation.end_table,
    "caption": _Preparation.caption,
    "tr": _Preparation.row,
    "td": _Preparation.cell,
    "th": _Preparation.cell,
    "a": _Preparation.start_link,
    "/a": _Preparation.end_link,
    "br": _Preparation.line_break,
    "img": _Preparation.image,
}
_VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "wbr", "col"})

# A tag; or a comment, a declaration, a script or a style sheet, which have no visible text.
_MARKUP = re.compile(
    r"""(<(?:!--.*?--|![^>]*|(?i:script\b.*?</script|style\b.*?</style)\s*"""
    r"""|/?[a-zA-Z][^<>"']*+(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*+)>)""",
    re.DOTALL,
)
_NAME = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*")
_ATTRIBUTE = re.compile(r"""([^\s=/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?""")


@dataclass(frozen=True, slots=True)
class _Tag:
    """One match of ``_MARKUP``."""

    name: str = ""
    """Such as ``p`` or ``/p``; empty for a comment, a declaration, a script or a style sheet."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    """The change in the number of open elements: 1, 0 or -1."""
    is_hidden: bool = False
    handler: _Handler | None = None
    """The method of ``_Preparation`` that handles it."""


def _parse_tag(markup: str) -> _Tag:
    found = _NAME.match(markup)
    name = found[0][1:].lower() if found else ""
    if name in ("", "script", "style"):
        return _Tag()
    if name.startswith("/"):
        return _Tag(name, depth=0 if name[1:] in _VOID else -1, handler=_HANDLERS.get(name))
    attributes = {
        key.lower(): unescape(double or single or bare)
        for key, double, single, bare in _ATTRIBUTE.findall(markup[len(name) + 1 : -1])
    }
    is_hidden = (
        name in ("head", "title")
        or "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or "display:none" in attributes.get("style", "").replace(" ", "")
    )
    return _Tag(name, attributes, 0 if name in _VOID else 1, is_hidden, _HANDLERS.get(name))


_cached_tag = lru_cache(maxsize=500)(_parse_tag)


def _block_text(block: str, prepared: _Preparation) -> str:
    table = re.fullmatch(f"{_TABLE}(\\d+){_END}", block)
    if table:
        return _with_links(prepared.tables[int(table[1])], prepared.urls)
    alone = _LINK.fullmatch(block)
    if alone:
        url = prepared.urls[int(alone[2])]
        return "\n".join([*wrapped(f"{alone[1]}:", WIDTH), url]) if alone[1] else url
    lines: list[str] = []
    for line in block.splitlines():
        bullet = _BULLET.match(line)
        indent = " " * len(bullet[0]) if bullet else ""
        lines += wrapped(_with_links(line.rstrip(), prepared.urls), WIDTH, indent)
    return "\n".join(lines)


def _with_links(text: str, urls: list[str]) -> str:
    def link(match: re.Match[str]) -> str:
        label, url = match[1], urls[int(match[2])]
        return f"{label} <{url}>" if label else url

    return _LINK.sub(link, text)
