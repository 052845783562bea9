"""Text in columns of a terminal: data tables side by side, and lines wrapped to a width."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from unicodedata import category, east_asian_width

WIDTH = 76
"""Columns. RFC 5322 recommends 78 characters; 76 leaves room for a reply's quote mark."""
BREAK = "\ue005"
"""A mark for a line break among the words of a cell, which otherwise run on."""


@dataclass(slots=True)
class _Cell:
    span: int
    is_right: bool
    """Amounts end at the right of their column, as ``align="right"`` says in the HTML."""
    words: list[str] = field(default_factory=list)
    lines: list[tuple[str, int]] = field(default_factory=list)
    """What it says, line by line, each with the columns it takes."""
    width: int = 0
    """The columns of the longest line."""

    def end(self) -> None:
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
    """A data table as aligned text. Where it is too wide, its widest column of words wraps."""

    def __init__(self) -> None:
        self.caption: list[str] = []
        """Its words, as they come."""
        self.rows: list[list[_Cell]] = []
        self._headed = False
        self._labelled = False

    def cell(self, attributes: Mapping[str, str]) -> list[str]:
        """Begin a cell with the attributes that it has in HTML. Its words go to the list that is
        returned.
        """
        scope = attributes.get("scope")
        self._headed |= scope == "col"
        self._labelled |= scope == "row" and not self._headed
        if not self.rows:
            self.rows.append([])
        row = self.rows[-1]
        # Words begin at the right in Arabic or Hebrew: those of a first column, and those beside
        # their labels.
        is_amount = bool(row) and not self._labelled
        is_right = is_amount and attributes.get("align") == "right"
        row.append(_Cell(int(attributes.get("colspan") or 1), is_right))
        return row[-1].words

    def text(self) -> str:
        """All of it, once every word is there."""
        rows = [row for row in self.rows if row]
        if not rows:
            return ""
        for row in rows:
            for cell in row:
                cell.end()
        begins = [0, *accumulate(width + _GAP for width in self._widths(rows))]
        lines = [" ".join("".join(self.caption).split()), ""] if self.caption else []
        for index, row in enumerate(rows):
            lines += _row_lines(row, begins)
            if index == 0 and self._headed:
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
    """A row's lines. ``begins`` says where every column begins, and where one more would."""
    blocks: list[tuple[bool, int, list[str]]] = []
    position = height = 0
    for cell in row:
        begin, position = begins[position], position + cell.span
        width = begins[position] - begin - _GAP
        lines = cell.fitted(width)
        blocks.append((cell.is_right, width, lines))
        height = max(height, len(lines))
    columns = []
    for is_right, width, lines in blocks:
        blank = [" " * width] * (height - len(lines))
        # An amount stands beside the last line of the words it belongs to.
        columns.append(blank + lines if is_right else lines + blank)
    return [(" " * _GAP).join(line).rstrip() for line in zip(*columns, strict=True)]


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
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


@lru_cache(10_000)
def _columns_of(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
