"""Marks texts for people in Python code. A text is translated when a page shows it."""

from collections.abc import Mapping
from typing import Any, Protocol

from pyramid.i18n import TranslationStringFactory

from app.i18n.languages import DOMAIN


class Mark(Protocol):
    """Marks a text. ``mapping`` gives the values of its ``${names}``."""

    def __call__(self, text: str, *, mapping: Mapping[str, Any] | None = None) -> str: ...


_: Mark = TranslationStringFactory(DOMAIN)
