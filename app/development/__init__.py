"""Pages for developers: the mailbox with every email in the outbox, and the previews of every kind.

They are included in debug mode and never in production: whoever reads the mailbox can open every
account with the links in it.
"""

from importlib import import_module

from pyramid.config import Configurator

from app.settings import SettingsError


def includeme(config: Configurator) -> None:
    """Add the routes and views. Raises ``SettingsError`` when the extra ``previews`` is missing."""
    try:
        import_module("app.previews")
    except ModuleNotFoundError as error:
        raise SettingsError(f"email.debug = true shows the previews of emails. {error}") from None
    config.add_route("mailbox", "/dev/mailbox")
    config.add_route("mailbox_json", "/dev/mailbox.json")
    config.add_route("mailbox_new", "/dev/mailbox/new.json")
    config.add_route("mailbox_source", r"/dev/mailbox/{id:\d+}.eml")
    config.add_route("mailbox_html", r"/dev/mailbox/{id:\d+}/html")
    config.add_route("mailbox_attachment", r"/dev/mailbox/{id:\d+}/attachment")
    config.add_route("mailbox_email", r"/dev/mailbox/{id:\d+}")
    config.add_route("previews", "/dev/emails")
    config.add_route("preview_source", "/dev/emails/{kind}.eml")
    config.add_route("preview_html", "/dev/emails/{kind}/html")
    config.add_route("preview_attachment", "/dev/emails/{kind}/attachment")
    config.add_route("preview", "/dev/emails/{kind}")
    config.add_private_paths("/dev/")
    config.scan("app.development")
