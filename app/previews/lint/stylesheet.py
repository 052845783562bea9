"""A8: styles that every mail program keeps: inlined ones, and one small ``<style>``."""

import re
from collections.abc import Iterator
from typing import Any

from app.previews.lint import css
from app.previews.lint.document import Element
from app.previews.lint.parsed_email import Finding, ParsedEmail

KB = 1024
"""Octets."""
LARGEST_WITH_5_LINES = 15 * KB
"""Of HTML, for an email with up to five lines in its data tables."""
LARGEST_WITH_100_LINES = 60 * KB
"""Of HTML, for any email. Gmail hides what comes after 102 KB."""
LONGEST_STYLE = 8 * KB
"""Gmail ignores a longer ``<style>``."""

_PHONE_CONDITION = re.compile(r"\((max-width\s*:\s*\d+px|max-device-width\s*:\s*\d+px)\)")
_DARK_CONDITION = re.compile(r"\(prefers-color-scheme\s*:\s*dark\)")


def blocks(email: ParsedEmail) -> Iterator[Finding]:
    """``<style>`` holds one block for phones, one for dark mode, and nothing else."""
    styles = email.document.all("style")
    for style in styles[1:]:
        yield Finding("A8", style.place, "is a second style sheet", "Keep one <style>")
    for style in styles:
        if len(style.text_content().encode()) > LONGEST_STYLE:
            yield Finding(
                "A8", style.place, f"is longer than {LONGEST_STYLE} octets", "Shorten it for Gmail"
            )
        seen: set[str] = set()
        for statement in css.statements(style.text_content()):
            place = f"<style>, line {statement.source_line}"
            if statement.type == "qualified-rule":
                yield Finding("A8", place, "is in no at-rule", "Have it inlined")
                continue
            name = f"@{statement.lower_at_keyword} {css.text(statement.prelude)}"
            block = _block_name(statement)
            if block is None or block in seen:
                yield Finding(
                    "A8",
                    place,
                    f"{name} is neither the phone block nor the dark block",
                    "Keep one @media (max-width: 480px) and one (prefers-color-scheme: dark)",
                )
            seen.add(block or name)
            if "@" in css.text(statement.content):
                yield Finding(
                    "A8", place, f"{name} holds an @", "Take it out: Gmail drops the whole block"
                )
            for rule in css.rules(statement):
                yield from _weak_declarations(rule)
        for missing in {"phone", "dark"} - seen:
            yield Finding("A8", style.place, f"has no {missing} block", "Add it")
    if email.html is not None and not styles:
        yield Finding("A8", "HTML", "has no <style>", "Add one with a phone block and a dark block")


def inlined(email: ParsedEmail) -> Iterator[Finding]:
    """Text has a font, a size and a colour without ``<style>`` too."""
    for element in email.document.visible:
        if element.own_text.strip():
            for name in ("font-family", "font-size", "color"):
                if not email.cascade.value(element, name):
                    yield Finding(
                        "A8",
                        element.place,
                        f"its text has no {name}",
                        "Inline one, here or on an element around it",
                    )


def size(email: ParsedEmail) -> Iterator[Finding]:
    """The HTML is small enough for a slow connection and for Gmail."""
    octets = len((email.html or "").encode())
    lines = sum(_is_data_line(row) for row in email.document.all("tr"))
    per_line = (LARGEST_WITH_100_LINES - LARGEST_WITH_5_LINES) / 95
    most = round(LARGEST_WITH_5_LINES + min(max(0, lines - 5), 95) * per_line)
    if octets > most:
        yield Finding(
            "A8",
            "HTML",
            f"has {octets} octets for {lines} lines of a table",
            f"Make it no larger than {most}: shorter class names and styles, fewer of them",
        )


def _block_name(at_rule: Any) -> str | None:
    """``phone`` or ``dark``; None for any other at-rule."""
    condition = css.text(at_rule.prelude)
    if at_rule.lower_at_keyword != "media":
        return None
    if _PHONE_CONDITION.fullmatch(condition):
        return "phone"
    return "dark" if _DARK_CONDITION.fullmatch(condition) else None


def _weak_declarations(rule: Any) -> Iterator[Finding]:
    for declaration in css.declarations(rule.content):
        if not declaration.important:
            yield Finding(
                "A8",
                f"<style>, line {rule.source_line}",
                f"{declaration.name} is weaker than what is inlined",
                "Write !important behind it",
            )


def _is_data_line(row: Element) -> bool:
    """Whether a row is in a data table and has no header cell."""
    table = row.closest("table")
    is_data = table is not None and table.get("role") != "presentation"
    return is_data and not any(cell.tag == "th" for cell in row)
