"""Pillarbox: a web shop whose emails arrive."""

from typing import Any

from pyramid.config import Configurator
from pyramid.router import Router

from app.settings import SettingsError


def main(global_config: dict[str, str], **settings: Any) -> Router:
    """The WSGI application of an .ini file's ``[app:main]``. Ends the process with code 1 and every
    problem when settings are wrong.
    """
    try:
        return configure(global_config, settings).make_wsgi_app()
    except SettingsError as error:
        raise SystemExit(f"Pillarbox cannot start.\n{error}") from None


def configure(global_config: dict[str, str], settings: dict[str, Any]) -> Configurator:
    """The whole application, each room after those that it needs. Raises ``SettingsError``."""
    with Configurator(settings={**global_config, **settings}) as config:
        config.include("app.settings")
        config.include("app.database")
        config.include("app.web")
        config.include("app.operations.health")
        config.include("app.mail")
        config.include("app.operations.metrics")
        config.include("app.accounts")
        config.include("app.shop")
        config.include("app.staff")
        pillarbox = config.registry.pillarbox
        # The mailbox shows reset links, and with them a reader could take over any account. So its
        # routes exist in development only.
        if pillarbox.email.debug and not pillarbox.is_production:
            config.include("app.development")
    return config
