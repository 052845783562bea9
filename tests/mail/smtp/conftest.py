"""Tests of SMTP send through a real relay."""

import pytest
from pyramid.router import Router


@pytest.fixture
def app(sending_app: Router) -> Router:
    return sending_app
