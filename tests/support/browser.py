"""Browsers without JavaScript, which reach the application without a server. Each has cookies of
its own.
"""

from pyramid.router import Router
from webtest import TestApp


def another_browser(app: Router, **environ: str) -> TestApp:
    """Somebody else, or the same person elsewhere. ``environ`` adds to what each request says."""
    usual = {"HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"}
    return TestApp(app, extra_environ=usual | environ)
