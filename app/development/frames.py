"""An email's HTML as it stands in a frame: how wide, in which colours, with or without its
``<style>``.

No setting of the reader's own and no script is needed. The style sheet's question for the colour
scheme is answered in its text, and what mail programs throw away is left out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from pyramid.request import Request

from app.web.headers import CONTENT_SECURITY_POLICY
from app.web.translation import _

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""The Content-Security-Policy of a frame: an email may style itself and open its links, and do
nothing else.
"""

WIDTHS = {
    "phone": _("Phone, 320"),
    "tablet": _("Tablet, 600"),
    "desktop": _("Desktop"),
    "all": _("All of them"),
}
SCHEMES = {"both": _("Light and dark"), "light": _("Light"), "dark": _("Dark")}
STYLES = {"on": _("With <style>"), "off": _("Without")}
"""Gmail for other providers' accounts, among others, removes the style sheet."""

_STYLE = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
_QUESTION = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_META = re.compile(r'(<meta name="color-scheme" content=")[^"]*"', re.IGNORECASE)

TRUE, FALSE = "(min-width: 0)", "(max-width: 0)"
"""Media conditions that are always so, and never: they may stand in a longer one."""


def allow_frames(request: Request) -> None:
    """Let the page hold frames of this site, which other pages may not."""
    request.response.headers["Content-Security-Policy"] = (
        CONTENT_SECURITY_POLICY + "; frame-src 'self'"
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: how wide it is, in which colours, both also in words, and the path of what stands
    in it.
    """

    width: str
    scheme: str
    src: str

    @property
    def words(self) -> tuple[str, str]:
        return WIDTHS[self.width], SCHEMES[self.scheme]


@dataclass(frozen=True, slots=True)
class Look:
    """How the HTML is looked at; an empty ``scheme`` is the reader's own."""

    width: str
    scheme: str
    style: str

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> Self:
        """What a query asks for; whatever is missing or unknown there is chosen for it."""

        def chosen(name: str, known: Mapping[str, str], otherwise: str) -> str:
            value = query.get(name, "")
            return value if value in known else otherwise

        return cls(
            chosen("width", WIDTHS, "tablet"),
            chosen("scheme", SCHEMES, "both"),
            chosen("style", STYLES, "on"),
        )

    def frames(self, address: Callable[..., str]) -> list[Frame]:
        """The frames that show it, the light ones and the narrow ones first."""
        widths = [self.width] if self.width != "all" else ["phone", "tablet", "desktop"]
        schemes = [self.scheme] if self.scheme != "both" else ["light", "dark"]
        return [
            Frame(width, scheme, address("html", width=width, scheme=scheme, style=self.style))
            for scheme in schemes
            for width in widths
        ]

    def applied_to(self, html: str) -> str:
        """``html`` as it stands in a frame."""
        if self.style == "off":
            html = _STYLE.sub("", html)
        if self.scheme in ("light", "dark"):
            html = in_scheme(html, self.scheme)
        extra = '<base target="_blank">'
        if self.width in ("phone", "tablet"):
            # Their scroll bars lie over the page and take nothing of its width.
            extra += "<style>html { scrollbar-width: none }</style>"
        return html.replace("<head>", f"<head>{extra}", 1)


def in_scheme(html: str, scheme: str) -> str:
    """``html`` with the question for the colour scheme answered in its style sheets."""

    def answer(question: re.Match[str]) -> str:
        return TRUE if question[1].lower() == scheme else FALSE

    html = _STYLE.sub(lambda sheet: _QUESTION.sub(answer, sheet[0]), html)
    return _META.sub(rf'\1{scheme}"', html, count=1)
