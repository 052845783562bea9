"""An email's HTML as a tree of lxml, whose elements know the line they stand on."""

from collections.abc import Iterator
from functools import cached_property

from lxml import etree
from lxml.html import HtmlElement

_NEVER_SHOWN = frozenset({"head", "title", "style", "script"})


class Element(HtmlElement):
    """An element of lxml, with methods that the rules share."""

    @property
    def place(self) -> str:
        """The place for a finding: ``HTML, line 12, <td class="content">``."""
        name = f' class="{self.get("class")}"' if self.get("class") else ""
        return f"HTML, line {self.sourceline}, <{self.tag}{name}>"

    @property
    def own_text(self) -> str:
        """The text that stands directly in this element."""
        return "".join(self.xpath("text()"))

    def get(self, attribute: str, default: str = "") -> str:
        """The attribute's value. Unlike lxml's, ``""`` when there is none."""
        return str(super().get(attribute, default))

    def lineage(self) -> "Iterator[Element]":
        """This element, its parent, and so on to the root."""
        yield self
        yield from self.iterancestors()

    def closest(self, *tags: str) -> "Element | None":
        """This element or the nearest one around it with one of ``tags``."""
        return next((element for element in self.lineage() if element.tag in tags), None)

    @property
    def is_hidden(self) -> bool:
        """Whether readers do not see it: it, or an element around it, is hidden or no content."""
        return any(
            element.tag in _NEVER_SHOWN
            or "hidden" in element.attrib
            or "display:none" in element.get("style").replace(" ", "")
            for element in self.lineage()
        )


def amounts(row: Element) -> list[Element]:
    """The cells of a data table's row that hold amounts: right-aligned, after the first cell.

    In a right-to-left language the first cell, which holds words, is right-aligned as well.
    """
    table = row.closest("table")
    if table is None or not table.xpath(".//*[@scope='col']"):
        return []
    return [
        cell for cell in row.xpath("*")[1:] if cell.tag == "td" and cell.get("align") == "right"
    ]


_PARSER = etree.HTMLParser(default_doctype=False)
_PARSER.set_element_class_lookup(etree.ElementDefaultClassLookup(element=Element))


class Document:
    """The tree of ``html``, which need not be well-formed; css-inline's output always is."""

    def __init__(self, html: str) -> None:
        tree = etree.fromstring(html, _PARSER)
        self.root: Element = _PARSER.makeelement("html") if tree is None else tree

    @property
    def doctype(self) -> str:
        """``doctype html`` for HTML 5; ``""`` when there is none."""
        return str(self.root.getroottree().docinfo.doctype).strip("<!>").lower()

    @property
    def comments(self) -> list[tuple[str, int]]:
        """The text and the line of each comment."""
        return [(comment.text, comment.sourceline) for comment in self.root.xpath("//comment()")]

    def all(self, *tags: str) -> list[Element]:
        """The elements with one of ``tags``, or all elements, in the order of the source."""
        return list(self.root.iter(*tags or "*"))

    @cached_property
    def visible(self) -> list[Element]:
        """The elements that readers see."""
        return [element for element in self.root.iterdescendants("*") if not element.is_hidden]
