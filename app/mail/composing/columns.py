"""Text in columns of a fixed width: data tables as aligned text, and lines wrapped to a width."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from unicodedata import category, east_asian_width

WIDTH = 76
"""The longest line, in columns. RFC 5322 recommends 78; a reply that quotes it adds two, "> "."""
BREAK = "\ue005"
"""Marks a line break in the text of a cell, whose other white space is collapsed."""


@dataclass(slots=True)
class _Cell:
    span: int
    is_right: bool
    """Whether the text is aligned right in its column, as amounts are."""
    words: list[str] = field(default_factory=list)
    lines: list[tuple[str, int]] = field(default_factory=list)
    """Its lines, each with its width in columns."""
    width: int = 0
    """The width of its longest line, in columns."""

    def measure(self) -> None:
        """Make ``lines`` and ``width`` from the words."""
        for line in "".join(self.words).split(BREAK):
            if text := " ".join(line.split()):
                columns = _columns(text)
                self.lines.append((text, columns))
                self.width = max(self.width, columns)

    def fitted(self, width: int) -> list[str]:
        """Its lines, wrapped and padded to ``width`` columns."""
        lines = self.lines
        if self.width > width:
            lines = [(line, _columns(line)) for text, _ in lines for line in wrapped(text, width)]
        if self.is_right:
            return [" " * (width - columns) + text for text, columns in lines]
        return [text + " " * (width - columns) for text, columns in lines]


class Table:
    """A data table as aligned text. If it is too wide, its widest column of words is wrapped."""

    def __init__(self) -> None:
        self.caption: list[str] = []
        self.rows: list[list[_Cell]] = []
        self._has_column_headers = False
        self._has_row_headers = False

    def cell(self, attributes: Mapping[str, str]) -> list[str]:
        """Begin a cell. Returns the list that the caller adds its words to."""
        scope = attributes.get("scope")
        self._has_column_headers |= scope == "col"
        self._has_row_headers |= scope == "row" and not self._has_column_headers
        if not self.rows:
            self.rows.append([])
        row = self.rows[-1]
        # Right alignment marks an amount, but in Arabic and Hebrew it marks words too. So the first
        # column and a table with row headers alone never count as amounts.
        is_amount = bool(row) and not self._has_row_headers
        is_right = is_amount and attributes.get("align") == "right"
        row.append(_Cell(_span(attributes.get("colspan")), is_right))
        return row[-1].words

    def text(self) -> str:
        """The table as text. To be called once, after the last word was added."""
        rows = [row for row in self.rows if row]
        if not rows:
            return ""
        for row in rows:
            for cell in row:
                cell.measure()
        begins = [0, *accumulate(width + _GAP for width in self._widths(rows))]
        caption = " ".join("".join(self.caption).replace(BREAK, " ").split())
        lines = [*wrapped(caption, WIDTH), ""] if caption else []
        for index, row in enumerate(rows):
            lines += _row_lines(row, begins)
            if index == 0 and self._has_column_headers:
                lines.append("-" * (begins[-1] - _GAP))
        return "\n".join(lines)

    def _widths(self, rows: list[list[_Cell]]) -> list[int]:
        widths = [0] * max([sum([cell.span for cell in row]) for row in rows])
        wraps = [True] * len(widths)
        for row in rows:
            position = 0
            for cell in row:
                if cell.span == 1:
                    widths[position] = max(widths[position], cell.width)
                    wraps[position] &= not cell.is_right
                position += cell.span
        room = WIDTH - _GAP * (len(widths) - 1)
        if sum(widths) > room:
            widest = max(range(len(widths)), key=lambda n: (wraps[n], widths[n]))
            widths[widest] = max(room - (sum(widths) - widths[widest]), _NARROWEST)
        return widths


_GAP = 2
_NARROWEST = 12


def _row_lines(row: list[_Cell], begins: list[int]) -> list[str]:
    """A row's lines. ``begins`` has the position of each column, and of one behind the last."""
    columns: list[tuple[int, list[str]]] = []
    position = height = 0
    for cell in row:
        begin, position = begins[position], position + cell.span
        width = begins[position] - begin - _GAP
        lines = cell.fitted(width)
        columns.append((width, lines))
        height = max(height, len(lines))
    filled = [lines + [" " * width] * (height - len(lines)) for width, lines in columns]
    return [(" " * _GAP).join(line).rstrip() for line in zip(*filled, strict=True)]


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """``text`` in lines of at most ``width`` columns, each but the first after ``indent``. A longer
    word is cut, unless it is a link or a mail address.
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
    """``word``, cut where it is longer than ``width``: each piece with its width in columns."""
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
    """The width of ``text`` in columns: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, text))


@lru_cache(10_000)
def _columns_of(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _span(colspan: str | None) -> int:
    """How many columns a cell takes: 1 to 100, and 1 for what is no number."""
    return min(max(int(colspan), 1), 100) if colspan and colspan.isdecimal() else 1
