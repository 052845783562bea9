"""What only developers see: the mailbox that shows every email in the browser.

Included in debug mode and never in production, since whoever reads a mailbox owns its accounts.
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Add the mailbox's routes and views."""
    config.add_route("mailbox", "/dev/mailbox")
    config.add_route("mailbox_json", "/dev/mailbox.json")
    config.add_route("mailbox_source", r"/dev/mailbox/{id:\d+}.eml")
    config.add_route("mailbox_html", r"/dev/mailbox/{id:\d+}/html")
    config.add_route("mailbox_email", r"/dev/mailbox/{id:\d+}")
    config.scan("app.development")
