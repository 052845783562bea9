"""Pages for staff, under ``/staff``. They open with a second factor only, and for everybody else
they do not exist.
"""

from pyramid.config import Configurator
from pyramid.events import NewResponse


def _hide_from_search_engines(event: NewResponse) -> None:
    # robots.txt does not name these pages, because it would tell everybody where they are.
    if event.request.path_info.startswith("/staff"):
        event.response.headers["X-Robots-Tag"] = "noindex"


def includeme(config: Configurator) -> None:
    """Register the routes and views."""
    config.add_route("staff", "/staff")
    # Nine digits fit into an id of either database.
    config.add_route("staff_account", r"/staff/accounts/{id:\d{1,9}}")
    config.add_subscriber(_hide_from_search_engines, NewResponse)
    config.scan("app.staff")
