"""Marks texts for people in Python code. A text is translated when a page shows it."""

from collections.abc import Mapping
from typing import Any, Protocol

from pyramid.i18n import TranslationStringFactory
from pyramid.request import Request

from app.i18n.languages import DOMAIN


class Mark(Protocol):
    """Marks a text. ``mapping`` gives the values of its ``${names}``."""

    def __call__(self, text: str, *, mapping: Mapping[str, Any] | None = None) -> str: ...


_: Mark = TranslationStringFactory(DOMAIN)


def tell(request: Request, message: str, **words: Any) -> None:
    """Say ``message`` at the top of the visitor's next page, in the language of this one.
    ``words`` are the values of its ``${names}``.
    """
    request.visitor.tell(request.localizer.translate(message, mapping=words or None))
