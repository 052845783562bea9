"""Reads the words of the PDF files that typst makes, as somebody does who copies them from a page.
It knows no more of PDF than these files use.
"""

import re
import zlib

_OBJECT = re.compile(rb"(?<!\d)(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"<<.*?>>\nstream\r?\n(.*)\nendstream", re.DOTALL)
_CHARACTER = re.compile(rb"^<([0-9A-F]{4})> <([0-9A-F]+)>$", re.MULTILINE)
_OCTET = rb"(?>\\[0-7]{1,3}|\\.|[^\\])"
_SHOWN = re.compile(
    # What stands for the glyphs up to EMC, in UTF-16 or as ASCII.
    rb"/ActualText(?:<FEFF([0-9A-F]*)>|\((.*?)\))>>.*?EMC"
    # A change of font, or a string. Each glyph has two octets, which can be a bracket too.
    rb"|/(f\d+) [\d.]+ Tf|\(((?:" + _OCTET + rb"{2})*?)\)(?=[\]\dT-])",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_UNSEEN = re.compile(r"[\s\u200b\u00ad]")


def pages_of(pdf: bytes) -> list[str]:
    """The words of each page, without spaces, which are not what lines are made of in a PDF."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    return [
        _UNSEEN.sub(
            "", _words(_stream(objects[_reference(page, b"Contents")]), _fonts(objects, page))
        )
        for page in objects.values()
        if b"/Type/Page/" in page
    ]


def text_of(pdf: bytes) -> str:
    """The words of all pages, without spaces."""
    return "".join(pages_of(pdf))


def without_spaces(text: str) -> str:
    """``text`` as the words of a page can have it."""
    return _UNSEEN.sub("", text)


def _words(content: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    words = ""
    font: dict[bytes, str] = {}
    for utf_16, ascii_text, name, shown in _SHOWN.findall(content):
        words += bytes.fromhex(utf_16.decode()).decode("utf-16-be")
        words += _ESCAPED.sub(_unescaped, ascii_text).decode("ascii")
        font = fonts[name] if name else font
        glyphs = _ESCAPED.sub(_unescaped, shown)
        words += "".join(font.get(glyphs[i : i + 2], "\0") for i in range(0, len(glyphs), 2))
    return words


def _unescaped(match: re.Match[bytes]) -> bytes:
    escaped = match.group(1)
    if escaped.isdigit():
        return bytes([int(escaped, 8)])
    return _ESCAPES.get(escaped, escaped)


def _fonts(objects: dict[int, bytes], page: bytes) -> dict[bytes, dict[bytes, str]]:
    """What each glyph stands for, for the fonts of a page."""
    resources = objects[_reference(page, b"Resources")]
    fonts = {}
    for name, number in re.findall(rb"/(f\d+) (\d+) 0 R", resources):
        cmap = _stream(objects[_reference(objects[int(number)], b"ToUnicode")])
        fonts[name] = {
            bytes.fromhex(glyph.decode()): bytes.fromhex(letters.decode()).decode("utf-16-be")
            for glyph, letters in _CHARACTER.findall(cmap)
        }
    return fonts


def _reference(body: bytes, name: bytes) -> int:
    found = re.search(rb"/" + name + rb" (\d+) 0 R", body)
    assert found, f"no {name!r}"
    return int(found.group(1))


def _stream(body: bytes) -> bytes:
    found = _STREAM.fullmatch(body)
    assert found, "not a stream"
    return zlib.decompress(found.group(1))
