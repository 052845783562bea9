"""An email's HTML as a tree that remembers the line each element begins on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
_UNREAD = frozenset({"head", "title", "style", "script"})


class Element:
    """An element: lower-case ``tag``, ``attributes`` (``""`` for those without a value), its
    ``parent``, and ``children``, which are elements and pieces of text in their order.
    """

    def __init__(
        self, tag: str, attributes: dict[str, str], parent: Element | None, line: int
    ) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.line = line
        self.children: list[Element | str] = []

    @property
    def place(self) -> str:
        """Where it stands, for people: ``HTML, line 12, <td class="content">``."""
        name = "".join(f' {key}="{self.attributes[key]}"' for key in ("class",) if self.get(key))
        return f"HTML, line {self.line}, <{self.tag}{name}>"

    @property
    def classes(self) -> list[str]:
        return self.get("class").split()

    @property
    def elements(self) -> list[Element]:
        """The child elements, without the text between them."""
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def own_text(self) -> str:
        """The text that stands directly in this element."""
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def text(self) -> str:
        """All text in this element, hidden or not, with white space as it stands."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def get(self, attribute: str) -> str:
        """The attribute's value, or ``""``."""
        return self.attributes.get(attribute, "")

    def descendants(self) -> Iterator[Element]:
        """Every element in this one, in the order of the source."""
        for child in self.elements:
            yield child
            yield from child.descendants()

    def lineage(self) -> Iterator[Element]:
        """This element, its parent, and so on to the root."""
        element: Element | None = self
        while element is not None:
            yield element
            element = element.parent

    def inside(self, *tags: str) -> Element | None:
        """This element or the nearest one around it with one of ``tags``."""
        return next((element for element in self.lineage() if element.tag in tags), None)

    @property
    def is_hidden(self) -> bool:
        """Whether nobody is shown it: not content at all, or hidden, or in something hidden."""
        return any(
            element.tag in _UNREAD
            or "hidden" in element.attributes
            or "display:none" in element.get("style").replace(" ", "")
            for element in self.lineage()
        )


def amounts(row: Element) -> list[Element]:
    """The cells of a data table's row that hold amounts: to the right, behind the words that they
    belong to. In a right-to-left language the words are to the right as well.
    """
    table = row.inside("table")
    if table is None or not any(cell.get("scope") == "col" for cell in table.descendants()):
        return []
    cells = row.elements[1:]
    return [cell for cell in cells if cell.tag == "td" and cell.get("align") == "right"]


class Document(HTMLParser):
    """The tree of ``html``, which need not be well-formed; css-inline's output always is.

    ``root`` holds everything; ``doctype`` and ``comments`` (text and line) stand beside the tree.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.doctype = ""
        self.comments: list[tuple[str, int]] = []
        self.root = Element("", {}, None, 1)
        self._open = self.root
        self.feed(html)
        self.close()

    def all(self, *tags: str) -> list[Element]:
        """The elements with one of ``tags``, or all, in the order of the source."""
        return [element for element in self.root.descendants() if element.tag in tags or not tags]

    @property
    def visible(self) -> list[Element]:
        """The elements that are shown to people."""
        return [element for element in self.all() if not element.is_hidden]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, self._open, self.getpos()[0])
        self._open.children.append(element)
        if not _VOID.fullmatch(tag):
            self._open = element

    def handle_endtag(self, tag: str) -> None:
        opened = self._open.inside(tag)
        if opened is not None and opened.parent is not None:
            self._open = opened.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append((data, self.getpos()[0]))

    def handle_decl(self, decl: str) -> None:
        self.doctype = decl
