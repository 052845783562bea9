"""Pages for staff, under ``/staff``. They open with a second factor only, and for everybody else
they do not exist.
"""

from collections.abc import Callable

from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.httpexceptions import HTTPNotFound
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

Handler = Callable[[Request], Response]


def hiding_tween(handler: Handler, registry: Registry) -> Handler:
    """Answer 404 to everybody else's forms for staff. Otherwise the answers to a wrong method (405)
    and to a missing token (400) would tell which pages there are. The views' permissions hide the
    pages themselves.
    """

    def tween(request: Request) -> Response:
        is_form = request.method not in ("GET", "HEAD")
        if is_form and _is_for_staff(request) and not request.is_by_staff:
            raise HTTPNotFound()
        return handler(request)

    return tween


def _hide_from_search_engines(event: NewResponse) -> None:
    # robots.txt does not name these pages, because it would tell everybody where they are.
    if _is_for_staff(event.request):
        event.response.headers["X-Robots-Tag"] = "noindex"


def _is_for_staff(request: Request) -> bool:
    # path_info raises an error where the path cannot be decoded.
    path: str = request.environ.get("PATH_INFO", "")
    return path.startswith("/staff")


def includeme(config: Configurator) -> None:
    """Register the routes and views."""
    config.add_route("staff", "/staff")
    config.add_route("staff_account", "/staff/accounts/{id:[0-9]+}")
    config.add_route("staff_emails", "/staff/emails")
    config.add_route("staff_email", "/staff/emails/{id:[0-9]+}")
    config.add_route("staff_email_html", "/staff/emails/{id:[0-9]+}/html")
    config.add_route("staff_suppressions", "/staff/suppressions")
    config.add_route("staff_many_emails", "/staff/emails/all/{act:resend|release|cancel}")
    config.add_route("staff_actions", "/staff/actions")
    config.add_tween(
        "app.staff.hiding_tween", under="app.web.malformed_requests.malformed_requests_tween"
    )
    config.add_subscriber(_hide_from_search_engines, NewResponse)
    config.scan("app.staff")
