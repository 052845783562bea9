"""Plain text from an email's HTML, by html2text.

html2text is made for Markdown. Emails are read as they are, so the HTML is prepared first: hidden
parts go, layout tables are unwrapped, data tables become aligned columns, and links become marks
that neither html2text nor wrapping can break. Afterwards the text is wrapped to 76 columns and the
marks are put back.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from html import escape, unescape
from unicodedata import category, east_asian_width

from html2text import HTML2Text

WIDTH = 76
"""Columns. RFC 5322 recommends 78 characters; 76 leaves room for a reply's quote mark."""

# Marks from Unicode's private use area stand for what must pass through html2text and wrapping in
# one piece.
_TABLE, _URL, _LABEL, _LABEL_END, _NBSP, _BREAK, _END = (
    "\ue000",
    "\ue001",
    "\ue002",
    "\ue003",
    "\ue004",
    "\ue005",
    "\ue006",
)
# People's words hold none of them, and none of the characters that turn the direction of all that
# follows.
_FOREIGN = re.compile("[\ue000-\ue006\u202a-\u202e\u2066-\u2069]")
_LINK = re.compile(f"{_LABEL}([^{_LABEL_END}]*){_LABEL_END}{_URL}(\\d+){_END}")
_BULLET = re.compile(r"\s*(- |\d+\. )")
_BLOCKS = frozenset(
    {"p", "div", "h1", "h2", "h3", "h4", "td", "th", "caption", "section", "blockquote"}
)


def plain_text(html: str) -> str:
    """The plain text of a piece of HTML: every fact, link and table row of it, and nothing else, at
    most 76 columns wide.

    A link in prose reads ``text <url>``; one that stands alone puts its address on a line of its
    own. Addresses are never broken.
    """
    prepared = _Preparation()
    prepared.read(_FOREIGN.sub("", html))
    converter = _Converter(bodywidth=0)
    blocks = [
        _laid_out(block.strip(), prepared)
        for block in converter.handle(prepared.html).split("\n\n")
        if block.strip()
    ]
    return "\n\n".join(blocks).replace(_NBSP, "\N{NO-BREAK SPACE}") + "\n"


class _Converter(HTML2Text):
    """html2text without Markdown: nothing is emphasised, linked, tabulated or escaped."""

    def __init__(self, bodywidth: int) -> None:
        super().__init__(bodywidth=bodywidth)
        self.unicode_snob = True
        self.ignore_links = True
        self.ignore_images = True
        self.ignore_emphasis = True
        self.ignore_tables = True
        self.ul_item_mark = "-"

    def handle_data(self, data: str, entity_char: bool = False) -> None:
        # Said to be a single character, data is not escaped for Markdown ("1\\." and "\\-" in a
        # letter are leftovers).
        super().handle_data(data, entity_char=True)


class _Preparation:
    """Rewrites an email's HTML into the little that html2text needs to see."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.tables: list[str] = []
        self._out: list[str] = []
        self._hidden = 0
        """How many open elements deep we are inside a hidden one."""
        self._table: _Table | None = None
        self._layout: list[bool] = []
        """For every open table, whether it only lays out."""
        self._href: str | None = None
        self._label: list[str] = []

    @property
    def html(self) -> str:
        return "".join(self._out)

    def read(self, html: str) -> None:
        """Take in the whole of ``html``.

        It comes from our own templates, where markup is told by its shape. ``HTMLParser``, made for
        whatever the world calls HTML, takes four times as long.
        """
        position = 0
        for markup in _MARKUP.finditer(html):
            begins, ends = markup.span()
            if begins > position:
                self._data(html[position:begins])
            position = ends
            end, tag, attributes = markup.group("end", "tag", "attributes")
            if end:
                self._end_tag(tag.lower())
            elif tag:
                self._start_tag(tag.lower(), _attributes(attributes))
        self._data(html[position:])

    def _start_tag(self, tag: str, attributes: dict[str, str]) -> None:
        if self._hidden:
            if tag not in _VOID:
                self._hidden += 1
            return
        if _is_hidden(tag, attributes):
            self._hidden = 0 if tag in _VOID else 1
            return
        if tag == "table":
            layout = attributes.get("role") == "presentation"
            self._layout.append(layout)
            if not layout:
                self._table = _Table()
        elif self._table is not None and tag in ("tr", "td", "th", "caption"):
            self._table.open(tag, attributes)
        elif tag == "a" and attributes.get("href"):
            self._href, self._label = attributes["href"], []
        elif tag == "br":
            self._text_break()
        elif tag == "img":
            self._text(attributes.get("alt", ""))
        elif self._table is None:
            if tag in _BLOCKS:
                self._out.append("<p>")
            elif tag in ("ul", "ol", "li", "hr"):
                self._out.append(f"<{tag}>")

    def _end_tag(self, tag: str) -> None:
        if self._hidden:
            if tag not in _VOID:
                self._hidden -= 1
            return
        if tag == "table" and self._layout:
            if not self._layout.pop() and self._table is not None:
                self.tables.append(self._table.text())
                self._table = None
                self._out.append(f"<p>{_TABLE}{len(self.tables) - 1}{_END}</p>")
        elif tag == "a" and self._href is not None:
            self._end_link()
        elif self._table is None:
            if tag in _BLOCKS:
                self._out.append("</p>")
            elif tag in ("ul", "ol", "li"):
                self._out.append(f"</{tag}>")

    def _data(self, data: str) -> None:
        if not self._hidden:
            self._text(unescape(data).replace("\N{NO-BREAK SPACE}", _NBSP))

    def _text(self, data: str) -> None:
        if self._href is not None:
            self._label.append(data)
        elif self._table is not None:
            self._table.write(data)
        else:
            self._out.append(escape(data, quote=False))

    def _text_break(self) -> None:
        if self._href is not None:
            self._text(" ")
        elif self._table is not None:
            self._table.write(_BREAK)
        else:
            self._out.append("<br>")

    def _end_link(self) -> None:
        href, label = self._href or "", " ".join("".join(self._label).split())
        self._href = None
        address = href.removeprefix("mailto:")
        if label == address:
            # The words are the address already: it must not be broken, and needs not be said twice.
            label = ""
        self.urls.append(address)
        self._text(f"{_LABEL}{label}{_LABEL_END}{_URL}{len(self.urls) - 1}{_END}")


# A tag; or a comment, a declaration, a script or a style sheet, which hold nothing to read.
_MARKUP = re.compile(
    r"""<!--.*?-->|<![^>]*>|<(script|style)\b.*?</\1\s*>"""
    r"""|<(?P<end>/?)(?P<tag>[a-z][a-z0-9]*)"""
    r"""(?P<attributes>[^<>"']*(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*)>""",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s=/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?""")


def _attributes(written: str) -> dict[str, str]:
    return {
        name.lower(): unescape(double or single or bare)
        for name, double, single, bare in _ATTRIBUTE.findall(written)
    }


_VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "wbr", "col"})


def _is_hidden(tag: str, attributes: dict[str, str]) -> bool:
    return tag in ("head", "title") or bool(
        attributes
        and (
            "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or "display:none" in attributes.get("style", "").replace(" ", "")
        )
    )


@dataclass(slots=True)
class _Cell:
    words: list[str]
    span: int
    is_right: bool
    """Amounts end at the right of their column, as ``align="right"`` says in the HTML."""
    lines: list[str] = field(default_factory=list)

    def end(self) -> None:
        self.lines = [" ".join(line.split()) for line in "".join(self.words).split(_BREAK)]


class _Table:
    """A data table as aligned text. Where it is too wide, its widest column of words wraps."""

    def __init__(self) -> None:
        self._caption: list[str] = []
        self._rows: list[list[_Cell]] = []
        self._words: list[str] = []
        self._headed = False
        self._labelled = False

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "caption":
            self._words = self._caption
        elif tag == "tr":
            self._rows.append([])
        else:
            scope = attributes.get("scope")
            self._headed |= scope == "col"
            self._labelled |= scope == "row" and not self._headed
            span = int(attributes.get("colspan") or 1)
            self._rows = self._rows or [[]]
            # Words begin at the right in Arabic or Hebrew: those of a first column, and those
            # beside their labels.
            is_amount = bool(self._rows[-1]) and not self._labelled
            is_right = attributes.get("align") == "right" and is_amount
            cell = _Cell([], span, is_right)
            self._words = cell.words
            self._rows[-1].append(cell)

    def write(self, data: str) -> None:
        self._words.append(data)

    def text(self) -> str:
        rows = [row for row in self._rows if row]
        if not rows:
            return ""
        for row in rows:
            for cell in row:
                cell.end()
        widths = self._widths(rows)
        lines = [" ".join("".join(self._caption).split()), ""] if self._caption else []
        for index, row in enumerate(rows):
            lines += _row_lines(row, widths)
            if index == 0 and self._headed:
                lines.append("-" * (sum(widths) + _GAP * (len(widths) - 1)))
        return "\n".join(lines)

    def _widths(self, rows: list[list[_Cell]]) -> list[int]:
        widths = [0] * max(sum(cell.span for cell in row) for row in rows)
        wraps = [True] * len(widths)
        for row in rows:
            position = 0
            for cell in row:
                if cell.span == 1:
                    widths[position] = max(widths[position], *map(_columns, cell.lines))
                    wraps[position] &= not cell.is_right
                position += cell.span
        room = WIDTH - _GAP * (len(widths) - 1)
        if sum(widths) > room:
            widest = max(range(len(widths)), key=lambda n: (wraps[n], widths[n]))
            widths[widest] = max(room - (sum(widths) - widths[widest]), _NARROWEST)
        return widths


_GAP = 2
_NARROWEST = 12


def _row_lines(row: list[_Cell], widths: list[int]) -> list[str]:
    blocks: list[tuple[_Cell, int, list[str]]] = []
    position = 0
    for cell in row:
        width = sum(widths[position : position + cell.span]) + _GAP * (cell.span - 1)
        blocks.append(
            (cell, width, [line for text in cell.lines for line in _wrapped(text, width)])
        )
        position += cell.span
    height = max(len(lines) for _, _, lines in blocks)
    rendered = []
    for number in range(height):
        line = ""
        for cell, width, lines in blocks:
            # An amount stands beside the last line of the words it belongs to.
            index = number - (height - len(lines)) if cell.is_right else number
            text = lines[index] if 0 <= index < len(lines) else ""
            pad = " " * (width - _columns(text))
            line += (pad + text if cell.is_right else text + pad) + " " * _GAP
        rendered.append(line.rstrip())
    return rendered


def _laid_out(block: str, prepared: _Preparation) -> str:
    table = re.fullmatch(f"{_TABLE}(\\d+){_END}", block)
    if table:
        return _with_links(prepared.tables[int(table[1])], prepared.urls)
    alone = _LINK.fullmatch(block)
    if alone:
        url = prepared.urls[int(alone[2])]
        return "\n".join([*_wrapped(f"{alone[1]}:", WIDTH), url]) if alone[1] else url
    lines: list[str] = []
    for line in block.splitlines():
        lines += _paragraph_lines(line, prepared.urls)
    return "\n".join(lines)


def _paragraph_lines(line: str, urls: list[str]) -> list[str]:
    bullet = _BULLET.match(line)
    indent = " " * len(bullet[0]) if bullet else ""
    return _wrapped(_with_links(line.rstrip(), urls), WIDTH, indent)


def _with_links(text: str, urls: list[str]) -> str:
    def link(match: re.Match[str]) -> str:
        label, url = match[1], urls[int(match[2])]
        return f"{label} <{url}>" if label else url

    return _LINK.sub(link, text)


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """``text`` in lines of at most ``width`` columns. Only an address may be longer; other endless
    words are cut.
    """
    if _columns(text) <= width and not text.startswith(" "):
        return [text] if text else []
    lines: list[str] = []
    line, used = "", 0
    for word in text.split(" "):
        for piece, columns in _pieces(word, width - len(indent)):
            if line and used + 1 + columns > width:
                lines.append(line)
                line, used = indent + piece, len(indent) + columns
            elif line:
                line, used = f"{line} {piece}", used + 1 + columns
            else:
                line, used = piece, columns
    if line:
        lines.append(line)
    return lines


def _pieces(word: str, width: int) -> list[tuple[str, int]]:
    """``word``, or what it has to be cut into, and how many columns each piece takes."""
    columns = _columns(word)
    if columns <= width or "://" in word or "@" in word:
        return [(word, columns)]
    pieces, piece, used = [], "", 0
    for character in word:
        columns = _columns_of(character)
        if used + columns > width:
            pieces.append((piece, used))
            piece, used = "", 0
        piece, used = piece + character, used + columns
    return [*pieces, (piece, used)]


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes: wide characters take two, combining marks
    none.
    """
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, text))


@cache
def _columns_of(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
