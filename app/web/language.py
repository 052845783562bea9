"""The language of a page: what the customer chose, else what the browser asks for."""

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPException
from pyramid.i18n import Localizer
from pyramid.request import Request
from pyramid.response import Response

from app.i18n.languages import SOURCE, Languages


def localizer(request: Request, language: str) -> Localizer:
    """Translates into a language other than the page's own, as for somebody who changes it."""
    return Localizer(language, request.registry.languages.translations(language))


def _language(request: Request) -> str:
    # Pyramid's own choice reads the query and a cookie of its own: a link could change the reader's
    # language, and a query that cannot be decoded could not be answered by an error page.
    languages: Languages = request.registry.languages
    if chosen := _chosen(request):
        return languages.nearest(chosen)
    request.add_response_callback(_vary)
    tags = [name.replace("_", "-") for name in languages.names]
    found: str = request.accept_language.lookup(tags, default=SOURCE)
    return found.replace("-", "_")


def _chosen(request: Request) -> str | None:
    """The preference of a customer who is signed in."""
    # The page of our own failure asks nothing of the database: it may be what failed.
    has_failed = not isinstance(request.exception, HTTPException | None)
    account = None if has_failed else getattr(request, "account", None)
    return account.locale if account else None


def _vary(request: Request, response: Response) -> None:
    response.vary = (*(response.vary or ()), "Accept-Language")


def _localizer(request: Request) -> Localizer:
    return localizer(request, request.locale_name)


def includeme(config: Configurator) -> None:
    """Let ``request.locale_name`` and ``request.localizer`` follow the reader."""
    config.include("app.i18n.languages")
    config.set_locale_negotiator(_language)
    config.add_request_method(_localizer, "localizer", reify=True)
