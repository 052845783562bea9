"""What the styles of an email come to, for readers in light and in dark surroundings."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from app.previews.lint import css
from app.previews.lint.document import Document, Element

_INHERITED = re.compile(
    "color|font-(family|size|weight)|line-height|overflow-wrap|text-align|white-space|word-break"
)


class Surroundings(StrEnum):
    """The surroundings an email is read in. Light is also what a mail program shows that ignores
    ``<style>``.
    """

    LIGHT = "light"
    DARK = "dark"


class Cascade:
    """The styles of one document: inline, and over them the dark block's (CSS Cascading 4, 6)."""

    def __init__(self, document: Document) -> None:
        self._dark_rules = tuple(
            rule
            for style in document.all("style")
            for statement in css.statements(style.text)
            if isinstance(statement, css.AtRule) and "prefers-color-scheme" in statement.condition
            for rule in statement.rules
        )
        self.declared = cache(self._declared)

    def value(
        self, element: Element, name: str, surroundings: Surroundings = Surroundings.LIGHT
    ) -> str:
        """The value of the property ``name`` as it is written, inherited where it inherits; ``""``
        when nobody declares one.
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
        """What is declared for this very element, the strongest declaration of each property."""
        # bgcolor and nowrap are as weak as a rule of the browser's own (HTML 15.2).
        values = {}
        if element.get("bgcolor"):
            values["background-color"] = element.get("bgcolor")
        if "nowrap" in element.attributes:
            values["white-space"] = "nowrap"
        normal, important = _split(css.declarations(element.get("style")))
        chosen = [
            (css.specificity(selector), rule.declarations)
            for rule in (self._dark_rules if surroundings is Surroundings.DARK else ())
            for selector in rule.selectors
            if css.matches(selector, element)
        ]
        # Sorting is stable: of two that weigh the same the later one wins.
        chosen.sort(key=lambda weighed: weighed[0])
        ruled = [_split(block) for _, block in chosen]
        for block in (
            *(block for block, _ in ruled),
            normal,
            *(block for _, block in ruled),
            important,
        ):
            values |= block
        return values


def _split(
    declarations: tuple[css.Declaration, ...],
) -> tuple[dict[str, str], dict[str, str]]:
    """The values of declarations without and with ``!important``, shorthands taken apart."""
    normal: dict[str, str] = {}
    important: dict[str, str] = {}
    for declaration in declarations:
        block = important if declaration.important else normal
        block[declaration.name] = declaration.value
        if declaration.name == "background":
            block["background-color"] = declaration.value
        elif declaration.name in ("padding", "mso-padding-alt"):
            sides = declaration.value.split() or [""]
            block[f"{declaration.name}-top"] = sides[0]
            block[f"{declaration.name}-bottom"] = sides[2 if len(sides) > 2 else 0]
    return normal, important


def pixels(value: str) -> float | None:
    """A length in CSS pixels; None when it is not given in them."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)(px)?", value.strip())
    return float(match[1]) if match and (match[2] or float(match[1]) == 0) else None
