"""Pages for staff, under ``/staff``. They open with a second factor only, and for everybody else
they do not exist.
"""

from pyramid.config import Configurator
from pyramid.events import NewResponse


def _hide_from_search_engines(event: NewResponse) -> None:
    # robots.txt does not name these pages, because it would tell everybody where they are.
    # path_info raises an error where the path cannot be decoded.
    if event.request.environ.get("PATH_INFO", "").startswith("/staff"):
        event.response.headers["X-Robots-Tag"] = "noindex"


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
    config.add_subscriber(_hide_from_search_engines, NewResponse)
    config.scan("app.staff")
