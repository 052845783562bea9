"""Texts for people that stand in Python: marked here, translated when they are shown."""

from collections.abc import Mapping
from typing import Any, Protocol

from pyramid.i18n import TranslationStringFactory

from app.i18n.languages import DOMAIN


class Mark(Protocol):
    """Marks a text; ``mapping`` fills its ``${names}``."""

    def __call__(self, text: str, *, mapping: Mapping[str, Any] | None = None) -> str: ...


_: Mark = TranslationStringFactory(DOMAIN)
