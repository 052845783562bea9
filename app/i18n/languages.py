"""The languages of pages and emails.

Every text in templates and in Python is English. Catalogues hold its translations, in gettext's
layout: ``<folder>/<language>/LC_MESSAGES/*.po``. The application reads the .po files at its start.
That takes some milliseconds, so there is no build step whose result could be out of date.
"""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from pyramid.config import Configurator
from pyramid.path import AssetResolver

SOURCE = "en"
"""The language of the texts in templates and in Python. It needs no catalogue."""
DOMAIN = "pillarbox"


class Languages:
    """The languages to choose from, and the translations into each."""

    def __init__(self, *folders: Path) -> None:
        self._translations: dict[str, Translations] = {}
        self._texts: dict[str, set[str]] = {}
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Read the catalogues of ``folder``. Its translations win over those added before.

        Raises ``babel.UnknownLocaleError`` or ``ValueError`` for an unknown language, and
        ``babel.messages.pofile.PoFileError`` for a catalogue that cannot be read.
        """
        for path in sorted(folder.glob("*/LC_MESSAGES/*.po")):
            language = path.parent.parent.name
            Locale.parse(language)
            catalogue, compiled = _read(path)
            translations = Translations(BytesIO(compiled), DOMAIN)
            self._texts.setdefault(language, set()).update(_translated_texts(catalogue))
            if language in self._translations:
                self._translations[language].merge(translations)
            else:
                self._translations[language] = translations

    @property
    def names(self) -> tuple[str, ...]:
        """Such as ``("en", "de", "pt_BR")``: English first, then in alphabetical order."""
        return (SOURCE, *sorted(self._translations.keys() - {SOURCE}))

    def nearest(self, locale: str) -> str:
        """The language for a reader of ``locale``: the same, else without region and script (``de``
        for ``de_AT``), else English (RFC 4647 3.4).
        """
        known = {name.casefold(): name for name in self.names}
        parts = locale.replace("-", "_").casefold().split("_")
        for length in range(len(parts), 0, -1):
            if found := known.get("_".join(parts[:length])):
                return found
        return SOURCE

    def translations(self, language: str) -> NullTranslations:
        """The translations into one of ``names``."""
        return self._translations.get(language) or _ENGLISH

    def lacks(self, language: str, text: str) -> bool:
        """Whether ``text`` has no translation into ``language``, one of ``names``, so that readers
        get the English one.
        """
        return language != SOURCE and text not in self._texts[language]


_ENGLISH = NullTranslations()


@cache
def own_name(language: str) -> str:
    """What a language calls itself: ``Deutsch``, ``Français``."""
    name = Locale.parse(language).get_display_name() or language
    return name[0].upper() + name[1:]


@cache
def direction(language: str) -> str:
    """HTML's ``dir``: ``rtl`` for a language that is written from right to left, else ``ltr``."""
    return Locale.parse(language).text_direction


def _read(path: Path) -> tuple[Catalog, bytes]:
    """The catalogue of a .po file, and the same compiled (.mo)."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parent.parent.name, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    return catalogue, compiled.getvalue()


def _translated_texts(catalogue: Catalog) -> Iterator[str]:
    """The English texts that a compiled catalogue keeps: those that are neither empty nor marked
    fuzzy. Of a text with plurals the singular.
    """
    for message in catalogue:
        forms = [message.string] if isinstance(message.string, str) else message.string
        if message.id and all(forms or [""]) and not message.fuzzy:
            yield message.id if isinstance(message.id, str) else message.id[0]


def _add_languages(config: Configurator, folder: str) -> None:
    """``folder`` is an asset specification such as ``parcels:locale``."""
    path = AssetResolver(config.package).resolve(folder).abspath()
    config.registry.languages.add(Path(path))


def includeme(config: Configurator) -> None:
    """Give the application ``registry.languages`` and ``config.add_languages(folder)``."""
    config.registry.languages = Languages(Path(__file__).with_name("locale"))
    config.add_directive("add_languages", _add_languages)
