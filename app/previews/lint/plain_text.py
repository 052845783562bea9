"""A12: the plain text holds the words, links, amounts and table rows of the HTML, and no others."""

import re
from collections import Counter
from collections.abc import Iterator
from unicodedata import category, east_asian_width

from app.previews.lint.document import Document, Element, amounts
from app.previews.lint.parsed_email import Finding, ParsedEmail

WIDTH = 76
"""Columns of the longest line."""
_INLINE = re.compile("a|abbr|b|bdi|bdo|cite|code|em|i|kbd|mark|q|s|small|span|strong|sub|sup|u|wbr")
_NUMBER = re.compile(r"\d")
_NARROWEST_CELL = 12
"""Columns of a table's narrowest column, in which a longer word is cut."""
_REMOVED = re.compile("[\u202a-\u202e\u2066-\u2069\ue000-\ue005]")
"""The characters that the composer removes from people's words: direction and private marks."""


def width(email: ParsedEmail) -> Iterator[Finding]:
    """No line is wider than ``WIDTH``, except a link or an address, which is never broken."""
    for number, line in enumerate((email.text or "").splitlines(), 1):
        if columns(line) > WIDTH and not re.search(r"://|@", line):
            yield Finding(
                "A12", f"text, line {number}", f"has {columns(line)} columns", f"Wrap it at {WIDTH}"
            )


def links(email: ParsedEmail) -> Iterator[Finding]:
    """The text holds every link, unbroken."""
    if email.text is None:
        return
    for link in email.content.all("a"):
        address = _address(link)
        if not re.search(rf"(?<![^\s<(]){re.escape(address)}(?![^\s>).,;:!?])", email.text):
            yield Finding("A12", link.place, "the text lacks this link", "Write it out, unbroken")


def words(email: ParsedEmail) -> Iterator[Finding]:
    """The text holds every word, number and amount as often as the HTML, and no other."""
    if email.html is None or email.text is None:
        return
    in_html = Counter(_words(_text_of_html(email.content)))
    in_text = Counter(_words(email.text))
    lost = in_html - in_text
    added = in_text - in_html
    for word in list(lost.elements()):
        # The plain text cuts a word that is too long for its column. Its pieces together count.
        cuts = _cuts(word) if columns(word) > _NARROWEST_CELL else ()
        pieces = next((cut for cut in map(Counter, cuts) if not cut - added), None)
        if pieces is not None:
            added -= pieces
            lost -= Counter([word])
    added -= _table_rules(email.content, added)
    for word in lost:
        what = "amount or number" if _NUMBER.search(word) else "word"
        yield Finding("A12", "text", f"lacks the {what} {word!r}", "Convert the whole content")
    for word in added:
        yield Finding(
            "A12", "text", f"says {word!r} more often than the HTML", "Convert nothing else"
        )


def _table_rules(content: Document, added: Counter[str]) -> Counter[str]:
    """The dashed lines that the text, unlike the HTML, has below the headers of tables."""
    heads = sum(bool(table.xpath(".//*[@scope='col']")) for table in content.all("table"))
    dashes = [word for word in added.elements() if not word.strip("-")]
    return Counter(dashes[:heads])


def rows(email: ParsedEmail) -> Iterator[Finding]:
    """The amounts of a table row are on one line, and all lines of a table end in one column."""
    if email.text is None:
        return
    lines = email.text.splitlines()
    for table in email.content.all("table"):
        ends: set[int] | None = None
        for row in table.iterdescendants("tr"):
            texts = [cell.text_content() for cell in amounts(row)]
            if not texts:
                continue
            pattern = r"\s+".join(map(_with_any_space, texts)) + "$"
            found = [line for line in lines if re.search(rf"(?<!\S){pattern}", line)]
            if not found:
                yield Finding(
                    "A12", row.place, "the text has no line with its amounts", "Align the columns"
                )
            else:
                # The same amount may stand elsewhere in the text, too.
                row_ends = {columns(line) for line in found}
                ends = row_ends if ends is None else ends & row_ends
        if ends is not None and not ends:
            yield Finding(
                "A12", table.place, "its amounts do not end in one column", "Align the columns"
            )


def columns(text: str) -> int:
    """The number of columns that ``text`` takes in a terminal."""
    if text.isascii():
        return len(text)
    marks = sum(category(character) in ("Mn", "Me", "Cf") for character in text)
    return len(text) - marks + sum(east_asian_width(character) in "WF" for character in text)


def _text_of_html(document: Document) -> str:
    """The visible text of the HTML, with links' addresses after their labels, images' alt texts,
    list marks, and a space between blocks.
    """
    pieces: list[str] = []

    def walk(element: Element) -> None:
        if element.is_hidden:
            return
        for child in element.xpath("node()[not(self::comment())]"):
            if isinstance(child, str):
                pieces.append(child)
                continue
            is_inline = _INLINE.fullmatch(child.tag)
            pieces.append("" if is_inline else " ")
            if child.tag == "img":
                pieces.append(child.get("alt"))
            elif child.tag == "li":
                number = element.xpath("*").index(child) + 1
                pieces.append(f"{number} " if element.tag == "ol" else "- ")
            walk(child)
            if child.tag == "a" and " ".join(child.text_content().split()) != _address(child):
                pieces.append(f" {_address(child)} ")
            pieces.append("" if is_inline else " ")

    walk(document.root)
    return "".join(pieces)


def _address(link: Element) -> str:
    return link.get("href").removeprefix("mailto:")


def _words(text: str) -> list[str]:
    """The words of ``text`` without their punctuation, which differs between the bodies."""
    bare = (_without_punctuation(word) for word in _REMOVED.sub("", text).split())
    return [word for word in bare if word]


def _without_punctuation(word: str) -> str:
    return word.strip("<>()[]:.,;")


def _cuts(word: str) -> Iterator[list[str]]:
    """The ways in which columns of different widths can cut a long word."""
    for column_width in range(_NARROWEST_CELL, min(columns(word), WIDTH + 1)):
        pieces, piece = [], ""
        for character in word:
            if piece and columns(piece + character) > column_width:
                pieces.append(piece)
                piece = ""
            piece += character
        yield [bare for bare in map(_without_punctuation, [*pieces, piece]) if bare]


def _with_any_space(words: str) -> str:
    return r"\s".join(map(re.escape, words.split()))
