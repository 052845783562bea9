"""What the tests of the shop share: a customer, and a visitor."""

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.database.engine import Database
from tests.support.browser import another_browser
from tests.support.shopping import sign_in, stock


@pytest.fixture
def customer(browser: TestApp, database: Database) -> TestApp:
    """A signed-in browser, in a shop with products."""
    stock(database)
    sign_in(browser, database)
    return browser


@pytest.fixture
def visitor(app: Router) -> TestApp:
    """Another browser, which is not signed in."""
    return another_browser(app)
