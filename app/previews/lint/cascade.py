"""The styles that an element of an email has, in light and in dark mode (CSS Cascading 4)."""

import re
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from cssselect2 import ElementWrapper

from app.previews.lint import css
from app.previews.lint.document import Document, Element

_INHERITED = re.compile(
    "color|font-(family|size|weight)|line-height|overflow-wrap|text-align|white-space|word-break"
)


class Surroundings(StrEnum):
    """The colour scheme of the mail program. One that ignores ``<style>`` shows the light styles in
    both.
    """

    LIGHT = "light"
    DARK = "dark"


class _Block(NamedTuple):
    """The declarations of one block: property to value, without and with ``!important``."""

    normal: dict[str, str]
    important: dict[str, str]


class Cascade:
    """The styles of one document: inlined ones, and in dark mode those of the dark block too."""

    def __init__(self, document: Document) -> None:
        self._dark_blocks: dict[Element, list[_Block]] = defaultdict(list)
        self.declared = cache(self._declared)
        dark_rules = [
            (selector, _split(css.declarations(rule.content)))
            for style in document.all("style")
            for statement in css.statements(style.text_content())
            if statement.type == "at-rule" and "prefers-color-scheme" in css.text(statement.prelude)
            for rule in css.rules(statement)
            for selector in css.selectors(rule.prelude)
        ]
        tree = ElementWrapper.from_html_root(document.root)
        # Sorting is stable: of two selectors with the same specificity the later one wins.
        for selector, block in sorted(dark_rules, key=lambda rule: rule[0].specificity):
            for chosen in tree.query_all(selector):
                self._dark_blocks[chosen.etree_element].append(block)

    def value(
        self, element: Element, name: str, surroundings: Surroundings = Surroundings.LIGHT
    ) -> str:
        """The value of the property ``name`` as written, from the element or, for a property that
        inherits, from one around it. ``""`` when there is none.
        """
        sources = element.lineage() if _INHERITED.fullmatch(name) else (element,)
        for source in sources:
            value = self.declared(source, surroundings).get(name, "")
            if value not in ("", "inherit"):
                return value
        return ""

    def _declared(
        self, element: Element, surroundings: Surroundings = Surroundings.LIGHT
    ) -> Mapping[str, str]:
        """Property to value, for the strongest declaration of each. Nothing is inherited."""
        # The attributes bgcolor and nowrap are weaker than any declaration (HTML 15.2).
        values = {}
        if element.get("bgcolor"):
            values["background-color"] = element.get("bgcolor")
        if "nowrap" in element.attrib:
            values["white-space"] = "nowrap"
        inline = _split(css.inline(element.get("style")))
        dark = self._dark_blocks.get(element, []) if surroundings is Surroundings.DARK else []
        for block in (
            *(block.normal for block in dark),
            inline.normal,
            *(block.important for block in dark),
            inline.important,
        ):
            values |= block
        return values


def _split(declarations: tuple[css.Declaration, ...]) -> _Block:
    """The block of these declarations, with the longhands of the shorthands that rules ask for."""
    split = _Block({}, {})
    for declaration in declarations:
        block = split.important if declaration.important else split.normal
        block[declaration.name] = declaration.value
        if declaration.name == "background":
            block["background-color"] = declaration.value
        elif declaration.name in ("padding", "mso-padding-alt"):
            sides = declaration.value.split() or [""]
            block[f"{declaration.name}-top"] = sides[0]
            block[f"{declaration.name}-bottom"] = sides[2 if len(sides) > 2 else 0]
    return split


def pixels(value: str) -> float | None:
    """A length in CSS pixels; None when its unit is another."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)(px)?", value.strip())
    return float(match[1]) if match and (match[2] or float(match[1]) == 0) else None
