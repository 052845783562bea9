"""The email service. It knows no account and no product, so any Pyramid application can use it:
``config.include("app.mail")``.

It adds ``config.add_email_kind(kind)``, ``config.add_email_templates(folder)``,
``config.add_languages(folder)``, ``request.compose(kind, context, to=..., about=...)`` and
``request.email_service.send_message(message, key=...)``. Where ``email.events`` names a service, it
also adds ``POST /webhooks/email``.
"""

from typing import Any

from jinja2 import FileSystemLoader
from pyramid.config import Configurator
from pyramid.path import AssetResolver
from pyramid.request import Request

from app.mail.composing.composer import Composer
from app.mail.events import suppression
from app.mail.events.tags import Tags
from app.mail.kinds import InDoubt, Kind, Kinds, Priority, RateLimit
from app.mail.message import Attachment, BodyFormat, Message, Recipient
from app.mail.outbox.wakeup import Wakeup
from app.mail.service import EmailService, KeyTaken
from app.mail.test_message import TEST_MESSAGE
from app.templates_folder import templates_folder

__all__ = [
    "Attachment",
    "BodyFormat",
    "EmailService",
    "InDoubt",
    "KeyTaken",
    "Kind",
    "Kinds",
    "Message",
    "Priority",
    "RateLimit",
    "Recipient",
    "includeme",
]


def includeme(config: Configurator) -> None:
    """Give the application the email service, configured by the settings."""
    config.include("app.settings")
    config.include("app.database")
    config.include("app.i18n.languages")
    registry = config.registry
    registry.email_kinds = Kinds()
    registry.email_wakeup = Wakeup()
    # ``add_email_templates`` puts its folders first, so an application can replace the layout too.
    registry.email_templates = FileSystemLoader(templates_folder())
    settings = registry.pillarbox
    registry.email_composer = Composer(
        settings.site,
        settings.email.brand,
        registry.email_templates,
        registry.languages,
        postal_address=settings.email.postal_address,
        reload=settings.email.debug and not settings.is_production,
    )
    registry.email_tags = Tags(settings.secret)
    config.add_housekeeping("old suppressions deleted", suppression.sweep)
    config.add_directive("add_email_kind", lambda config, kind: registry.email_kinds.add(kind))
    config.add_directive("add_email_templates", _add_email_templates)
    config.add_email_kind(TEST_MESSAGE)
    config.add_request_method(_compose, "compose")
    config.add_request_method(_email_service, "email_service", reify=True)
    if settings.email.events is not None:
        config.include("app.mail.events.webhook")


def _add_email_templates(config: Configurator, folder: str) -> None:
    """``folder`` is an asset such as ``parcels:templates``, with ``email/<kind>.jinja2`` in it."""
    path = AssetResolver(config.package).resolve(folder).abspath()
    config.registry.email_templates.searchpath.insert(0, path)


def _compose(request: Request, kind: Kind, context: Any, **details: Any) -> Message:
    composer: Composer = request.registry.email_composer
    return composer.compose(kind, context, **details)


def _email_service(request: Request) -> EmailService:
    registry = request.registry
    return EmailService(
        settings=registry.pillarbox.email,
        site=registry.pillarbox.site,
        session=request.dbsession,
        clock=registry.clock,
        wakeup=registry.email_wakeup,
        # ``app.web`` gives requests an id. Another application need not have one.
        request_id=getattr(request, "id", ""),
    )
