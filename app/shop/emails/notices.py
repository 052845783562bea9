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
    options: str = "",
    held_payment: str = "",
) -> None:
    """Queue a notice to ``site.support_email`` in the transaction of ``session``. A second one with
    the same ``what`` and ``reference`` is not sent.

    ``reference`` is the id that the command takes: of the payment, refund, dispute, withdrawal or
    email; for a refused key, the day. ``order_number`` names an order that is not
    known. ``amount`` is in minor units of ``currency``. ``reason`` is in English, and holds neither
    addresses nor what a stranger typed. ``options`` and ``held_payment`` are those of
    ``command_for``.
    """
    number = order.number if order else order_number
    is_test = is_test or (order is not None and any(each.is_test for each in order.payments))
    # A command about an order that nobody knows can only list the statements.
    known = order.number if order else ""
    ini = str(request.registry.settings.get("__file__", "INI"))
    context = ShopNotice(
        what=what,
        at=request.now,
        command=command_for(
            what,
            ini,
            order_number=known,
            reference=reference,
            options=options,
            held_payment=held_payment,
        ),
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
