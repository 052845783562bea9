"""What every page shares: the visitor's cookie, CSRF, forms, links, security headers, error pages, templates.

It knows no account and no product. A page extends ``layout.jinja2`` and builds its form from ``app.web.forms.Form``.
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Give an application ``request.visitor``, ``request.link``, templates, CSRF checks, headers and error pages."""
    config.include("app.settings")
    config.include("app.web.rendering")
    config.include("app.web.static_files")
    config.include("app.web.links")
    config.include("app.web.visitor")
    config.include("app.web.csrf")
    config.include("app.web.headers")
    config.include("app.web.well_formed")
    config.include("app.web.errors")
