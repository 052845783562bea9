"""Tells the shop's own people, once, about something that needs a person."""

from dataclasses import replace
from datetime import datetime

from pyramid.request import Request
from sqlalchemy.orm import Session

from app.i18n.languages import SOURCE
from app.mail import EmailService, Recipient
from app.shop.emails.shop_notice import SHOP_NOTICE, Notice, ShopNotice, command_for
from app.shop.models import Order


def send_shop_notice(
    request: Request,
    session: Session,
    what: Notice,
    reference: str,
    *,
    order: Order | None = None,
    order_number: str = "",
    amount: int | None = None,
    currency: str = "",
    reason: str = "",
    respond_by: datetime | None = None,
    is_test: bool = False,
) -> None:
    """Queue a notice to ``site.support_email`` in the transaction of ``session``. A second one with
    the same ``what`` and ``reference`` is not sent.

    ``reference`` is the id that the command takes: of the payment, refund, dispute, withdrawal or
    email; for a refused key, the day. ``order_number`` names an order that is not
    known. ``amount`` is in minor units of ``currency``. ``reason`` is in English, and holds neither
    addresses nor what a stranger typed.
    """
    number = order.number if order else order_number
    ini = str(request.registry.settings.get("__file__", "INI"))
    context = ShopNotice(
        what=what,
        at=request.now,
        command=command_for(what, ini, order_number=number, reference=reference),
        order_number=number,
        reference=reference,
        amount=amount,
        currency=currency,
        reason=reason,
        respond_by=respond_by,
        is_test=is_test,
    )
    about = f"order:{order.id}" if order else f"{what}:{reference}"
    to = Recipient(request.registry.pillarbox.site.support_email, locale=SOURCE)
    message = request.compose(SHOP_NOTICE, context, to=to, about=about)
    service: EmailService = request.email_service
    key = f"shop_notice:{what}:{reference}"
    replace(service, session=session).send_message(message, key=key)
