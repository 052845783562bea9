"""The languages that pages and emails can speak.

Every text in templates and in Python is English. A folder of catalogues says it in other languages:
``<folder>/<language>/LC_MESSAGES/*.po``, as gettext has it. The .po files are read at the start,
which takes some milliseconds, so nothing has to be built and nothing can be out of date.
"""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from pyramid.config import Configurator
from pyramid.path import AssetResolver

SOURCE = "en"
"""The language of the texts in templates and in Python. It needs no catalogue."""
DOMAIN = "pillarbox"


class Languages:
    """What there is to choose from, and the words of each language."""

    def __init__(self, *folders: Path) -> None:
        self._translations: dict[str, Translations] = {}
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Read the catalogues of ``folder``, whose words win over those that were added before.

        Raises ``babel.UnknownLocaleError`` or ``ValueError`` for a language that nobody speaks, and
        ``babel.messages.pofile.PoFileError`` for a catalogue that cannot be read.
        """
        for path in sorted(folder.glob("*/LC_MESSAGES/*.po")):
            language = path.parent.parent.name
            Locale.parse(language)
            words = _compiled(path)
            if language in self._translations:
                self._translations[language].merge(words)
            else:
                self._translations[language] = words

    @property
    def names(self) -> tuple[str, ...]:
        """Such as ``("en", "de", "pt_BR")``: English first, the others in the order of letters."""
        return (SOURCE, *sorted(self._translations.keys() - {SOURCE}))

    def nearest(self, locale: str) -> str:
        """The language for a reader of ``locale``: itself, or without its region or script (``de``
        for ``de_AT``), or English (RFC 4647 3.4).
        """
        known = {name.casefold(): name for name in self.names}
        parts = locale.replace("-", "_").casefold().split("_")
        for length in range(len(parts), 0, -1):
            if found := known.get("_".join(parts[:length])):
                return found
        return SOURCE

    def translations(self, language: str) -> NullTranslations:
        """The words of one of ``names``."""
        return self._translations.get(language) or _ENGLISH


_ENGLISH = NullTranslations()


@cache
def own_name(language: str) -> str:
    """What a language calls itself: ``Deutsch``, ``Français``."""
    name = Locale.parse(language).get_display_name() or language
    return name[0].upper() + name[1:]


@cache
def direction(language: str) -> str:
    """``rtl`` for a language that is written from right to left, else ``ltr``: HTML's ``dir``."""
    return Locale.parse(language).text_direction


def _compiled(path: Path) -> Translations:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parent.parent.name, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, DOMAIN)


def _add_languages(config: Configurator, folder: str) -> None:
    """``folder`` is an asset such as ``parcels:locale``."""
    path = AssetResolver(config.package).resolve(folder).abspath()
    config.registry.languages.add(Path(path))


def includeme(config: Configurator) -> None:
    """Give the application ``registry.languages`` and ``config.add_languages(folder)``."""
    config.registry.languages = Languages(Path(__file__).with_name("locale"))
    config.add_directive("add_languages", _add_languages)
