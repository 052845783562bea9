"""What the tests of the shop share: a customer."""

import pytest
from webtest import TestApp

from app.database.engine import Database
from tests.support.shopping import sign_in, stock


@pytest.fixture
def customer(browser: TestApp, database: Database) -> TestApp:
    """A signed-in browser, in a shop with products."""
    stock(database)
    sign_in(browser, database)
    return browser
