"""The frames that show an email's HTML: how wide, in which colour scheme, with or without its
``<style>``.

This works without scripts and whatever scheme the browser has: the server changes the HTML. It
replaces the condition ``prefers-color-scheme``, and removes the ``<style>`` that some mail programs
remove.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from app.web.frames import FRAME_POLICY
from app.web.translation import _

MEASURED_POLICY = FRAME_POLICY.partition("sandbox")[0] + "sandbox allow-same-origin"

WIDTHS = {
    "phone": _("Phone, 320"),
    "tablet": _("Tablet, 600"),
    "desktop": _("Desktop, 800 or wider"),
    "all": _("All of them"),
}
SCHEMES = {"both": _("Light and dark"), "light": _("Light"), "dark": _("Dark")}
STYLES = {"on": _("With <style>"), "off": _("Without")}
"""Some mail programs remove ``<style>``, such as Gmail for the accounts of other providers."""

_STYLE_ELEMENT = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
_SCHEME_CONDITION = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_SCHEME_META = re.compile(r'(<meta name="color-scheme" content=")[^"]*"', re.IGNORECASE)

ALWAYS, NEVER = "(min-width: 0)", "(max-width: 0)"
"""Media conditions that are always true and never true. Each can be part of a longer condition."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: a key of ``WIDTHS``, a key of ``SCHEMES``, and the path of its content."""

    width: str
    scheme: str
    src: str
    measured: str
    """The path of the same content for the script that measures its height."""

    @property
    def labels(self) -> tuple[str, str]:
        return WIDTHS[self.width], SCHEMES[self.scheme]


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """How to show the HTML: keys of ``WIDTHS``, ``SCHEMES`` and ``STYLES``."""

    width: str
    scheme: str
    style: str

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """The options in a query. A missing or unknown one gets its default."""

        def option(name: str, known: Mapping[str, str], default: str) -> str:
            value = query.get(name, "")
            return value if value in known else default

        return cls(
            option("width", WIDTHS, "tablet"),
            option("scheme", SCHEMES, "both"),
            option("style", STYLES, "on"),
        )

    def frames(self, part_path: Callable[..., str]) -> list[Frame]:
        """The frames to show, light before dark and narrow before wide."""
        widths = [self.width] if self.width != "all" else ["phone", "tablet", "desktop"]
        schemes = [self.scheme] if self.scheme != "both" else ["light", "dark"]
        return [
            _frame(part_path, width=width, scheme=scheme, style=self.style)
            for scheme in schemes
            for width in widths
        ]

    def apply_to(self, html: str) -> str:
        """The HTML for a frame."""
        if self.style == "off":
            html = _STYLE_ELEMENT.sub("", html)
        if self.scheme in ("light", "dark"):
            html = with_colour_scheme(html, self.scheme)
        extra = '<base target="_blank">'
        if self.width in ("phone", "tablet"):
            # On such a device the scroll bar covers the page and does not make it narrower.
            extra += "<style>html { scrollbar-width: none }</style>"
        return html.replace("<head>", f"<head>{extra}", 1)


def _frame(part_path: Callable[..., str], **query: str) -> Frame:
    return Frame(
        query["width"],
        query["scheme"],
        part_path("html", **query),
        part_path("html", **query, measured="1"),
    )


def frame_policy(query: Mapping[str, str]) -> str:
    """The Content-Security-Policy of a frame. In the hidden frame that the page's script measures,
    the email can do even less, and the script can read it.
    """
    return MEASURED_POLICY if query.get("measured") else FRAME_POLICY


def with_colour_scheme(html: str, scheme: str) -> str:
    """``html`` as a browser with that colour scheme shows it, whatever scheme this browser has."""

    def replacement(condition: re.Match[str]) -> str:
        return ALWAYS if condition[1].lower() == scheme else NEVER

    html = _STYLE_ELEMENT.sub(lambda style: _SCHEME_CONDITION.sub(replacement, style[0]), html)
    return _SCHEME_META.sub(rf'\1{scheme}"', html, count=1)
