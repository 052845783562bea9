"""The problems of a shop's file, each with its line.

``tomllib`` does not tell the line of a value. So the text is scanned for the headers of tables and
for keys. A value inside an inline table or an array has the line where that begins.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

Where = tuple[str | int, ...]
"""Where a value is: keys, and numbers of the tables in an array, such as ("product", 2, "slug")."""
MOST_SHOWN = 50
DEEPEST = 6
"""Keys of a path. What lies deeper has the line of the value around it."""

_STRING_OR_COMMENT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'|#[^\n]*",
    re.DOTALL,
)
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_NAME})\s*\]")
_KEY = re.compile(rf"\s*({_NAME})\s*=")


class BadShopFile(Exception):
    """The file cannot be used. The text names every problem with its line and its cure."""


class Problems:
    """Collects the problems of the file ``path`` with this text."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.path = path
        self._lines = _find_lines(text)
        self._found: list[tuple[int, str]] = []

    def add(self, where: Where, text: str) -> None:
        """Note a problem of the value at ``where``, or of the nearest table around it."""
        while where not in self._lines and where:
            where = where[:-1]
        self.add_in_line(self._lines.get(where, 0), text)

    def add_in_line(self, line: int, text: str) -> None:
        """Note a problem of a line. 0 stands for the whole file."""
        if (line, text) not in self._found:
            self._found.append((line, text))

    def raise_any(self) -> None:
        """Raise ``BadShopFile`` with all problems, in the order of their lines."""
        if not self._found:
            return
        count = len(self._found)
        shown = sorted(self._found, key=lambda problem: problem[0])[:MOST_SHOWN]
        texts = [f"{self.path} has {count} problem{'s' if count > 1 else ''}:"]
        texts += [f"  line {line}: {text}" if line else f"  {text}" for line, text in shown]
        if count > MOST_SHOWN:
            texts.append(f"  and {count - MOST_SHOWN} more")
        raise BadShopFile("\n".join(texts))


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` Did you mean ...?`` when one of ``known`` is similar, else nothing."""
    near = get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def quoted(value: object) -> str:
    """A value from the file for a message: short, and without control characters."""
    text = repr(str(value))
    return text if len(text) <= 60 else f"{text[:57]}...{text[0]}"


def shown_key(key: str | int) -> str:
    """A key from the file for a message. One that TOML wants in quotes has them."""
    return str(key) if _BARE_KEY.fullmatch(str(key)) else quoted(key)


def _find_lines(text: str) -> dict[Where, int]:
    lines: dict[Where, int] = {}
    table: Where = ()
    counts: dict[Where, int] = {}
    for number, line in enumerate(_blank(text).split("\n"), 1):
        if header := _HEADER.match(line):
            is_array = header[1] == "[["
            table = ()
            parts = _split(header[2])[:DEEPEST]
            for i, part in enumerate(parts):
                table += (part,)
                if is_array and i == len(parts) - 1:
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    lines.setdefault(table, number)
                    table += (counts[table],)
                lines.setdefault(table, number)
        elif key := _KEY.match(line):
            where = table
            for part in _split(key[1])[:DEEPEST]:
                where += (part,)
                lines.setdefault(where, number)
    return lines


def _blank(text: str) -> str:
    """The text without comments and without the content of strings of several lines, in which keys
    and headers would not be keys and headers. Every line keeps its number.
    """

    def replace(found: re.Match[str]) -> str:
        token = found[0]
        if token.startswith("#"):
            return ""
        if token.startswith(('"""', "'''")):
            return '""' + "\n" * token.count("\n")
        return token

    return _STRING_OR_COMMENT.sub(replace, text)


def _split(name: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, name)]
