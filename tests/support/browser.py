"""Browsers without JavaScript, which reach the application without a server. Each has cookies of
its own.
"""

from pyramid.router import Router
from webtest import TestApp


def another_browser(app: Router, **environ: str) -> TestApp:
    """A new browser. ``environ`` adds to the WSGI environment of each request."""
    usual = {"HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"}
    return TestApp(app, extra_environ=usual | environ)
