"""The tags of an email's HTML, and the words between them, without hidden ones."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape

_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)

# A tag; or a comment, a declaration, a script or a style sheet, which have no visible text.
_MARKUP = re.compile(
    r"""(<(?:!--.*?--|![^>]*|(?i:script\b.*?</script|style\b.*?</style)\s*"""
    r"""|/?[a-zA-Z][^<>"']*+(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*+)>)""",
    re.DOTALL,
)
_NAME = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*")
_ATTRIBUTE = re.compile(r"""([^\s=/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?""")


@dataclass(frozen=True, slots=True)
class Tag:
    """One match of ``_MARKUP``."""

    name: str = ""
    """Such as ``p`` or ``/p``; empty for a comment, a declaration, a script or a style sheet."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    """The change in the number of open elements: 1, 0 or -1."""
    is_hidden: bool = False


def _parse_tag(markup: str) -> Tag:
    found = _NAME.match(markup)
    name = found[0][1:].lower() if found else ""
    if name in ("", "script", "style"):
        return Tag()
    if name.startswith("/"):
        return Tag(name, depth=0 if name[1:] in _VOID else -1)
    attributes = {
        key.lower(): unescape(double or single or bare)
        for key, double, single, bare in _ATTRIBUTE.findall(markup[len(name) + 1 : -1])
    }
    is_hidden = (
        name in ("head", "title", "template")
        or "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or "display:none" in attributes.get("style", "").replace(" ", "")
    )
    return Tag(name, attributes, 0 if name in _VOID else 1, is_hidden)


_cached_tag = lru_cache(maxsize=500)(_parse_tag)


def visible_pieces(html: str) -> Iterator[tuple[Tag, str]]:
    """Each visible tag, and the words after it, as they are written. The first tag is empty.

    ``html`` comes from our own templates, so a regular expression can find its tags.
    ``HTMLParser`` also reads malformed HTML, but takes many times as long.
    """
    pieces = ["", *_MARKUP.split(html)]
    hidden = 0  # The number of open elements from the outermost hidden one on.
    for markup, words in zip(pieces[::2], pieces[1::2], strict=True):
        # Templates repeat their tags, so parsed tags are cached. A link is not, because it may be a
        # secret, such as one that resets a password.
        tag = _parse_tag(markup) if "href" in markup else _cached_tag(markup)
        if hidden:
            hidden += tag.depth
        elif tag.is_hidden:
            hidden = tag.depth
        else:
            yield tag, words
            continue
        if not hidden:
            yield Tag(), words
