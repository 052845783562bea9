"""Error pages in the shop's style: what happened and what to do next (STANDARDS C8)."""

import logging
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyramid.config import Configurator
from pyramid.exceptions import BadCSRFToken
from pyramid.httpexceptions import HTTPError, HTTPException
from pyramid.request import Request
from pyramid_retry import is_error_retryable
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app.database import READ_METHODS
from app.database.errors import DatabaseBusy, describe
from app.i18n import formats
from app.web.csrf import is_from_this_site
from app.web.hosts import UnknownHost
from app.web.limits import LimitReached
from app.web.translation import _

log = logging.getLogger(__name__)

DATABASE_DRIVERS = {"sqlite3", "psycopg"}

Page = dict[str, Any]


class ErrorText(NamedTuple):
    """What an error page says."""

    title: str
    advice: str


ERROR_TEXTS = {
    400: ErrorText(
        _("We could not process your request"),
        _("The link may be incomplete, or the form was not sent correctly. Go back and try again."),
    ),
    403: ErrorText(
        _("You do not have access to this page"),
        _("You are signed in, but your account does not have access to this page."),
    ),
    404: ErrorText(
        _("Page not found"),
        _("There is no page at this address. If you typed it, check it for mistakes."),
    ),
    405: ErrorText(
        _("This address belongs to a button or a form"),
        _("Go back and use the button or the form there. Nothing has been changed."),
    ),
    410: ErrorText(_("This page is no longer available"), _("Its content has been deleted.")),
    413: ErrorText(
        _("Your request is too large"),
        _("You have sent more than this shop accepts. Shorten your entries and try again."),
    ),
    429: ErrorText(_("Too many attempts"), _("Wait a few minutes, then try again.")),
}
SHOP_UNAVAILABLE = ErrorText(
    _("The shop is briefly unavailable"),
    _("Wait a minute, then try again."),
)
CHANGE_UNAVAILABLE = ErrorText(
    _("The shop is briefly unavailable"),
    _("Nothing has been changed. Wait a minute, then try again."),
)
FORM_EXPIRED = ErrorText(
    _("This form has expired"),
    _(
        "The page was open for too long, or your browser blocks cookies. Go back, reload the page"
        " and send the form again. Nothing has been changed."
    ),
)


def http_error(error: HTTPError, request: Request) -> Page:
    """The page of a refused request."""
    request.response.status_int = error.code
    for name in ("Allow", "Retry-After"):
        if name in error.headers:
            request.response.headers[name] = error.headers[name]
    return {"error_text": ERROR_TEXTS.get(error.code, ERROR_TEXTS[400])}


def form_expired(error: BadCSRFToken, request: Request) -> Page:
    """The page of a form without its CSRF token, or of one that another site sent."""
    request.response.status_int = error.code
    if is_from_this_site(request):
        return {"error_text": FORM_EXPIRED}
    url = request.registry.pillarbox.site.base_url
    advice = _(
        "Open the shop at ${url} and send the form there. Nothing has been changed.",
        mapping={"url": url},
    )
    return {"error_text": ErrorText(_("This form was sent from another address"), advice)}


def unknown_host(error: UnknownHost, request: Request) -> Page:
    """The page of a request that came under another name than the shop's."""
    return http_error(error, request) | {
        "error_text": ErrorText(
            _("The shop has another address"),
            _("Open it at ${url}.", mapping={"url": request.registry.pillarbox.site.base_url}),
        )
    }


def limit_reached(error: LimitReached, request: Request) -> Page:
    """The page of somebody who tried too often. It says when the next try is possible."""
    wait = formats.duration(error.wait, request.locale_name)
    advice = _("You can try again in ${wait}.", mapping={"wait": wait})
    page = http_error(error, request)
    return page | {"error_text": ErrorText(page["error_text"].title, advice)}


def redirect(response: HTTPException, request: Request) -> HTTPException:
    """A redirect that a view has raised is itself the response."""
    return response


def failure(error: Exception, request: Request) -> Page:
    """The page of an unexpected error. Retryable errors go on to pyramid_retry."""
    if is_error_retryable(request, error):
        raise error
    route = request.matched_route.name if request.matched_route else None
    # The log gets the route and not the path, which may hold a token.
    log.error("request failed: method=%s route=%s\n%s", request.method, route, traceback_of(error))
    request.response.status_int = 500
    return {}


def database_unavailable(error: OperationalError | DatabaseBusy, request: Request) -> Page:
    """The page while the database cannot be reached or stays locked. The request changed nothing,
    and the same request may succeed in a moment.
    """
    if is_error_retryable(request, error):
        raise error
    route = request.matched_route.name if request.matched_route else None
    log.error(
        "database unavailable to request: method=%s route=%s error=%s",
        request.method,
        route,
        describe(error),
    )
    request.response.status_int = 503
    request.response.headers["Retry-After"] = "10"
    is_change = request.method not in READ_METHODS
    return {"error_text": CHANGE_UNAVAILABLE if is_change else SHOP_UNAVAILABLE}


def traceback_of(error: BaseException) -> str:
    """The frames of ``error`` and of the errors that caused it, the first cause first.

    It leaves out the messages of databases, which quote stored values.
    """
    parts = [
        "".join(traceback.format_tb(cause.__traceback__)) + _describe_cause(cause)
        for cause in _causes(error)
    ]
    return "\nwhich led to\n".join(reversed(parts))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe_cause(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, SQLAlchemyError) or kind.__module__.split(".")[0] in DATABASE_DRIVERS:
        return name
    return f"{name}: {error}"


def includeme(config: Configurator) -> None:
    """Register the error pages."""
    config.add_exception_view(redirect, context=HTTPException)
    config.add_exception_view(http_error, context=HTTPError, renderer="errors/refused.jinja2")
    config.add_exception_view(
        unknown_host, context=UnknownHost, renderer="errors/unknown_host.jinja2"
    )
    config.add_exception_view(limit_reached, context=LimitReached, renderer="errors/refused.jinja2")
    config.add_exception_view(form_expired, context=BadCSRFToken, renderer="errors/refused.jinja2")
    for context in (OperationalError, DatabaseBusy):
        config.add_exception_view(
            database_unavailable, context=context, renderer="errors/refused.jinja2"
        )
    config.add_exception_view(failure, context=Exception, renderer="errors/failure.jinja2")
    config.add_notfound_view(http_error, renderer="errors/refused.jinja2")
    config.add_forbidden_view(http_error, renderer="errors/refused.jinja2")
