"""What every page shares: visitor's cookie, CSRF, forms, links, headers, error pages, templates.

This room knows no account and no product. A page extends ``layout.jinja2`` and builds its form from
``app.web.forms.Form``.
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Set up what pages share. Requests get ``request.visitor`` and ``request.link``."""
    config.include("app.settings")
    config.include("app.database")
    config.include("app.web.limits")
    config.include("app.web.request_id")
    config.include("app.web.language")
    config.include("app.web.rendering")
    config.include("app.web.static_files")
    config.include("app.web.links")
    config.include("app.web.visitor")
    config.include("app.web.csrf")
    config.include("app.web.headers")
    config.include("app.web.glued_links")
    config.include("app.web.malformed_requests")
    config.include("app.web.hosts")
    config.include("app.web.methods")
    config.include("app.web.errors")
    config.include("app.web.robots")
    config.include("app.web.hashing_paths")
    config.include("app.web.owner_pages")
