"""Reads style sheets and style attributes with tinycss2, and selectors with cssselect2."""

from dataclasses import dataclass
from functools import lru_cache
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
    """The declarations of a style as text, or of the content of a rule that tinycss2 has read."""
    return tuple(
        Declaration(node.lower_name, text(node.value), node.important)
        for node in tinycss2.parse_blocks_contents(style, skip_comments=True)
        if node.type == "declaration"
    )


# The emails of a shop have nearly the same styles, so most are read once.
@lru_cache(maxsize=4096)
def inline(style: str) -> tuple[Declaration, ...]:
    """The declarations of a style attribute."""
    return declarations(style)


@lru_cache(maxsize=64)
def statements(style_sheet: str) -> tuple[Any, ...]:
    """tinycss2's qualified rules and at-rules, in their order. Parse errors are left out."""
    nodes = tinycss2.parse_stylesheet(style_sheet, skip_comments=True)
    return tuple(node for node in nodes if node.type in ("qualified-rule", "at-rule"))


def rules(at_rule: Any) -> list[Any]:
    """The qualified rules in an at-rule's block. An at-rule without a block has none."""
    nodes = tinycss2.parse_rule_list(at_rule.content or [])
    return [node for node in nodes if node.type == "qualified-rule"]


def selectors(prelude: Any) -> list[Any]:
    """cssselect2's selectors. One invalid selector empties the whole list (Selectors 4, 4.1)."""
    try:
        return list(cssselect2.compile_selector_list(prelude))
    except cssselect2.SelectorError:
        return []


def text(nodes: Any) -> str:
    """The text of tinycss2's ``nodes``, without white space around it."""
    return str(tinycss2.serialize(nodes or [])).strip()
