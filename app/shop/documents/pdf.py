"""The PDF of a document: tagged, for screen readers (PDF/UA-1) and archives (PDF/A-2a).

Typst lays it out from ``templates/documents/document.typ``. Texts reach the template as one string
of JSON, never as its source, so no text is code. Typst brings fonts for Latin, Greek and Cyrillic;
other scripts come from the fonts of the system.
"""

import json
import logging
import re
from datetime import tzinfo
from functools import cache
from threading import local
from typing import Any

from typst import Compiler, Fonts, TypstError

from app.i18n.languages import Languages
from app.shop.documents.content import DocumentContent
from app.shop.documents.page import page_of
from app.templates_folder import templates_folder

log = logging.getLogger(__name__)

_NOT_ALLOWED = re.compile(
    # Control characters but for line feed, surrogates, characters for private use, the byte order
    # mark, and what Unicode declares to be no characters: no text has them, and PDF/A forbids them.
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufffe\uffff"
    "\U000f0000-\U0010ffff]"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_QUOTED = re.compile(r"`.*?`", re.DOTALL)
_compilers = local()


def render(content: DocumentContent, languages: Languages, zone: tzinfo) -> bytes | None:
    """The PDF of the document. The same content always gives the same bytes with the same version
    of typst and the same fonts.

    A character that no font has makes PDF/A impossible, so the document becomes a plain PDF then,
    which shows a box in its place. None if there can be no PDF at all; the log says why.
    """
    try:
        page = _allowed(page_of(content, languages, zone))
        return _compile(json.dumps(page, ensure_ascii=False), content)
    except BaseException as error:
        # A panic of typst is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        # A receipt without its PDF is better than money without a receipt.
        log.exception("document not rendered: document=%s", content.number)
        _compilers.__dict__.clear()
        return None


def _allowed(value: Any) -> Any:
    """The value, with another character in place of each that no document can have."""
    if isinstance(value, dict):
        return {name: _allowed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_allowed(part) for part in value]
    return _NOT_ALLOWED.sub(_REPLACEMENT, value) if isinstance(value, str) else value


def _compile(data: str, content: DocumentContent) -> bytes:
    created_at = int(content.issued_at.timestamp())
    options: dict[str, Any] = {"sys_inputs": {"page": data}, "timestamp": created_at}
    compiler = _compiler()
    try:
        # ISO 19005-2, level A, and ISO 14289-1.
        tagged = compiler.compile(format="pdf", pdf_standards=["a-2a", "ua-1"], **options)
        return _only_file(tagged)
    except TypstError as error:
        values = content.number, _without_quotes(error)
        log.warning("document is plain PDF: document=%s problem=%s", *values)
    try:
        return _only_file(compiler.compile(format="pdf", **options))
    except TypstError as error:
        raise ValueError(_without_quotes(error)) from None


def _without_quotes(error: TypstError) -> str:
    """What the error says. What it quotes can be a name, which is for no log."""
    return _QUOTED.sub("…", error.message)


def _only_file(result: bytes | list[bytes] | None) -> bytes:
    if not isinstance(result, bytes):
        raise TypeError(f"typst returned {type(result).__name__}")
    return result


def _compiler() -> Compiler:
    """This thread's compiler. Threads cannot share one."""
    if not hasattr(_compilers, "compiler"):
        template = templates_folder() / "documents" / "document.typ"
        _compilers.compiler = Compiler(template, root=template.parent, font_paths=_fonts())
    compiler: Compiler = _compilers.compiler
    return compiler


@cache
def _fonts() -> Fonts:
    """Reading the fonts of the system takes a while, so it happens once."""
    return Fonts()
