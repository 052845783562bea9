"""What the rules need of a style sheet or a style attribute, as tinycss2 and cssselect2 read it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cssselect2
import tinycss2


@dataclass(frozen=True, slots=True)
class Declaration:
    """``name: value``, the name in lower case and the value as written."""

    name: str
    value: str
    important: bool = False


def declarations(style: Any) -> tuple[Declaration, ...]:
    """The declarations of a style attribute, or of the content of a rule that tinycss2 has read."""
    return tuple(
        Declaration(node.lower_name, text(node.value), node.important)
        for node in tinycss2.parse_blocks_contents(style, skip_comments=True)
        if node.type == "declaration"
    )


def statements(style_sheet: str) -> Iterator[Any]:
    """The qualified rules and at-rules of tinycss2, in their order. What is neither is left out."""
    for node in tinycss2.parse_stylesheet(style_sheet, skip_comments=True):
        if node.type in ("qualified-rule", "at-rule"):
            yield node


def rules(at_rule: Any) -> list[Any]:
    """The qualified rules in the block of an at-rule; none where it has no block."""
    nodes = tinycss2.parse_rule_list(at_rule.content or [])
    return [node for node in nodes if node.type == "qualified-rule"]


def selectors(prelude: Any) -> list[Any]:
    """The selectors of cssselect2; none when one of them is invalid (Selectors 4, 4.1)."""
    try:
        return list(cssselect2.compile_selector_list(prelude))
    except cssselect2.SelectorError:
        return []


def text(nodes: Any) -> str:
    """The CSS that tinycss2 has read ``nodes`` from, without white space around it."""
    return str(tinycss2.serialize(nodes or [])).strip()
