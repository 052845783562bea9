"""As much CSS as an email's styles need: declarations, rules, at-rules and selectors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.previews.lint.document import Element


@dataclass(frozen=True, slots=True)
class Declaration:
    """``name: value``, both as written but in lower case where case means nothing."""

    name: str
    value: str
    important: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Selectors and what they declare. ``line`` counts from 1 where the style sheet begins."""

    selectors: tuple[str, ...]
    declarations: tuple[Declaration, ...]
    line: int


@dataclass(frozen=True, slots=True)
class AtRule:
    """``@name condition { rules }``, or without a block: then ``body`` is empty."""

    name: str
    condition: str
    body: str
    rules: tuple[Rule, ...]
    line: int


def declarations(text: str) -> tuple[Declaration, ...]:
    """The declarations of a style attribute or of a rule's block."""
    found = []
    for piece in re.split(r";(?![^(]*\))", text):
        name, colon, value = piece.partition(":")
        if colon:
            value, mark, _ = value.strip().partition("!important")
            found.append(Declaration(name.strip().lower(), value.strip(), bool(mark)))
    return tuple(found)


def statements(text: str, line: int = 1) -> Iterator[Rule | AtRule]:
    """The rules and at-rules of a style sheet in their order. Comments are passed over."""
    # A comment becomes as many line ends as it held, so that the lines still count.
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    position = 0
    while match := re.compile(r"\s*([^{};]+)([{;])").match(text, position):
        prelude, opening = match[1].strip(), match[2]
        starts = line + text.count("\n", 0, match.start(1))
        end = _end_of_block(text, match.end()) if opening == "{" else match.end()
        body = text[match.end() : end - 1] if opening == "{" else ""
        inner_line = line + text.count("\n", 0, match.end())
        if prelude.startswith("@"):
            name, _, condition = prelude[1:].partition(" ")
            inner = statements(body, inner_line)
            rules = tuple(statement for statement in inner if isinstance(statement, Rule))
            yield AtRule(name.lower(), condition.strip(), body, rules, starts)
        else:
            selectors = tuple(selector.strip() for selector in prelude.split(","))
            yield Rule(selectors, declarations(body), starts)
        position = end


def _end_of_block(text: str, start: int) -> int:
    """Where the block whose content begins at ``start`` is over, behind its brace."""
    depth = 1
    for brace in re.compile("[{}]").finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text) + 1


_COMPOUND = re.compile(r"(\*|[a-z][a-z0-9]*)?((?:[.#][\w-]+)*)", re.IGNORECASE)


def matches(selector: str, element: Element) -> bool:
    """Whether ``selector`` chooses ``element``. It may hold types, classes, ids, and the
    combinators for descendants, children and adjacent siblings; with any other it chooses nothing.
    """
    parts = re.sub(r"\s*([>+])\s*", r" \1 ", selector).split()
    return bool(parts) and _matches(parts, element)


def _matches(parts: list[str], element: Element) -> bool:
    *rest, compound = parts
    if not _is(compound, element):
        return False
    if not rest:
        return True
    parent = element.parent
    if rest[-1] == ">":
        return parent is not None and _matches(rest[:-1], parent)
    if rest[-1] == "+":
        siblings = parent.elements if parent is not None else []
        before = siblings.index(element) - 1 if element in siblings else -1
        return before >= 0 and _matches(rest[:-1], siblings[before])
    return parent is not None and any(_matches(rest, ancestor) for ancestor in parent.lineage())


def _is(compound: str, element: Element) -> bool:
    match = _COMPOUND.fullmatch(compound)
    if match is None:
        return False
    tag, rest = (match[1] or "*").lower(), re.findall(r"[.#][\w-]+", match[2])
    return tag in ("*", element.tag) and all(
        name[1:] in (element.classes if name[0] == "." else [element.get("id")]) for name in rest
    )


def specificity(selector: str) -> tuple[int, int, int]:
    """How much ``selector`` weighs: ids, classes, types (Selectors 4, 17)."""
    types = re.findall(r"(?<![.#\w-])[a-z][a-z0-9]*", selector, re.IGNORECASE)
    return selector.count("#"), selector.count("."), len(types)
