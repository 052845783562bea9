"""The language of a page: the customer's preference, else what the browser asks for.

The browser also says how the reader's country writes dates: ``en-GB`` asks for
``22 November 2026``.
"""

from babel import Locale, UnknownLocaleError
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPException
from pyramid.i18n import Localizer
from pyramid.request import Request
from pyramid.response import Response

from app.i18n.languages import SOURCE, Languages

MOST_TAGS = 10
"""How many languages of a browser are looked at for the form of dates."""


def localizer(request: Request, language: str) -> Localizer:
    """Translates into a language that need not be the page's."""
    return Localizer(language, request.registry.languages.translations(language))


def _negotiate_language(request: Request) -> str:
    # Pyramid's negotiator reads the query and a cookie. Then a link could change the reader's
    # language, and the error page of a query that cannot be decoded would fail on the query itself.
    languages: Languages = request.registry.languages
    if preference := _preference(request):
        return languages.nearest(preference)
    request.add_response_callback(_vary_by_language)
    tags = [name.replace("_", "-") for name in languages.names]
    return str(request.accept_language.lookup(tags, default=SOURCE)).replace("-", "_")


def _date_locale(request: Request) -> str:
    """How dates are written: as in the first country that the browser names with the page's
    language, else as in the language alone.
    """
    language: str = request.locale_name
    request.add_response_callback(_vary_by_language)
    wanted = sorted(request.accept_language.parsed or (), key=lambda found: -found[1])
    for tag, _ in wanted[:MOST_TAGS]:
        try:
            asked = Locale.parse(tag, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
        if asked.language == language.partition("_")[0]:
            return str(asked)
    return language


def _preference(request: Request) -> str | None:
    """The language that a signed-in customer prefers."""
    # The page of an unexpected error does not read the database, which may have caused the error.
    has_failed = not isinstance(request.exception, HTTPException | None)
    account = None if has_failed else getattr(request, "account", None)
    return account.locale if account else None


def _vary_by_language(request: Request, response: Response) -> None:
    response.vary = (*(response.vary or ()), "Accept-Language")


def includeme(config: Configurator) -> None:
    """Let ``request.locale_name`` and ``request.localizer`` follow the reader."""
    config.include("app.i18n.languages")
    config.set_locale_negotiator(_negotiate_language)
    config.add_request_method(_date_locale, "date_locale", reify=True)
    config.add_request_method(
        lambda request: localizer(request, request.locale_name), "localizer", reify=True
    )
