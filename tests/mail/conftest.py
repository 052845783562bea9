"""What tests of the email service share: an outbox that queues."""

import pytest

from tests.support.application import MakeApp
from tests.support.outbox import Outbox


@pytest.fixture
def sending(make_app: MakeApp, settings_values: dict[str, str]) -> Outbox:
    """The outbox of an application that would send. No worker runs."""
    values = {"email.debug": "false", "email.smtp_server": "127.0.0.1", "email.smtp_port": "1"}
    return Outbox(make_app(settings_values | values | {"email.smtp_security": "none"}).registry)
