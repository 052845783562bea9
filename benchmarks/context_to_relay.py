"""How much processor time the sender spends on one receipt, from its context to the relay."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from statistics import median

from html2text import html2text

from app import configure
from app.mail import Message
from app.mail.composing.composer import Composer
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.envelope import Envelope
from app.mail.smtp.mailer import Mailer
from app.mail.smtp.mime import message_bytes
from app.mail.smtp.replies import Outcome
from app.shop.emails import PURCHASE_RECEIPT, PurchaseReceipt
from benchmarks import tutorial
from benchmarks.databases import Databases
from benchmarks.receipts import BUYER, receipt
from benchmarks.settings import settings_for
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio

WARM_UP = 5


@dataclass(frozen=True)
class Order:
    """The context of a receipt, and its HTML as it goes out."""

    context: PurchaseReceipt
    page: str


Way = Callable[[list[Order]], None]
"""Sends the receipts of these orders."""


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure all ways in turn, round after round."""
    rounds, count = (3, 10) if quick else (25, 40)
    with Sink() as sink:
        registry = configure({}, settings_for("sqlite://", sink)).registry
        composer, mailer = registry.email_composer, Mailer(registry.pillarbox.email)
        ways = {
            "Pillarbox": _pillarbox(composer, mailer),
            "Jinja2, html2text, EmailMessage, smtplib": _tutorial(composer, sink.port),
        }
        if find_spec("django"):
            ways["Django: Jinja2, strip_tags, EmailMultiAlternatives"] = _django(
                composer, sink.port
            )
        spent: dict[str, list[float]] = {who: [] for who in ways}
        for way in ways.values():
            way(_orders(composer, 0, WARM_UP))
        for round_ in range(rounds):
            orders = _orders(composer, round_ * count, count)
            for who, way in ways.items():
                begun = time.process_time()
                way(orders)
                spent[who].append((time.process_time() - begun) / count * 1000)
        mailer.quit()
        sink.wait_for(len(ways) * (WARM_UP + rounds * count), 10)
    costs = {who: median(milliseconds) for who, milliseconds in spent.items()}
    return Section(
        "From context to relay: a receipt of 20 lines",
        ["CPU ms", "ratio"],
        [
            Line(who, [number(cost), ratio(cost / costs["Pillarbox"])])
            for who, cost in costs.items()
        ],
        "the tutorials' way >= 3 x, better 5 x",
    )


def _orders(composer: Composer, first: int, count: int) -> list[Order]:
    contexts = [receipt(number) for number in range(first, first + count)]
    pages = [_compose(composer, context).html or "" for context in contexts]
    return [Order(context, page) for context, page in zip(contexts, pages, strict=True)]


def _compose(composer: Composer, context: PurchaseReceipt) -> Message:
    return composer.compose(PURCHASE_RECEIPT, context, to=BUYER, about="order:1")


def _pillarbox(composer: Composer, mailer: Mailer) -> Way:
    """Our way: compose a batch, make its bytes, and hand it over on a kept connection."""

    def send(orders: list[Order]) -> None:
        ready = []
        for order in orders:
            octets = message_bytes(_row(_compose(composer, order.context)))
            ready.append((Envelope("shop@example.org", BUYER.address, len(octets)), octets))
        mailer.connect()
        followers = [*(envelope for envelope, _ in ready[1:]), None]
        for (envelope, octets), following in zip(ready, followers, strict=True):
            verdict = mailer.offer(envelope) or mailer.transmit(octets, following)
            assert verdict.outcome is Outcome.ACCEPTED, verdict

    return send


def _row(message: Message) -> OutboxEmail:
    """The message's row in the outbox."""
    return OutboxEmail(
        sender="Pillarbox <shop@example.org>",
        recipient_name=message.to.name,
        recipient=message.to.address,
        reply_to="help@example.org",
        subject=message.subject,
        html_body=message.html,
        text_body=message.text,
        message_id=f"<{secrets.token_hex(16)}@example.org>",
        locale=message.to.locale,
        created_at=datetime.now(UTC),
    )


def _rendered(composer: Composer, order: Order) -> str:
    """The same page for the other ways, rendered from the same template. They need not inline the
    styles, as if the template had them inline.
    """
    composer._render(PURCHASE_RECEIPT, order.context, BUYER)
    return order.page


def _tutorial(composer: Composer, port: int) -> Way:
    """The tutorials' way: html2text on the whole page, and a new connection for every email."""

    def send(orders: list[Order]) -> None:
        for order in orders:
            page = _rendered(composer, order)
            subject = f"Receipt for order {order.context.order_number}"
            tutorial.send(port, BUYER.address, subject, html2text(page), page)

    return send


def _django(composer: Composer, port: int) -> Way:
    """The way of Django's documentation: ``strip_tags``, and a connection for every ``send``."""
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives
    from django.utils.html import strip_tags

    settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT=port)

    def send(orders: list[Order]) -> None:
        for order in orders:
            page = _rendered(composer, order)
            subject = f"Receipt for order {order.context.order_number}"
            message = EmailMultiAlternatives(
                subject, strip_tags(page), tutorial.SENDER, [BUYER.address]
            )
            message.attach_alternative(page, "text/html")
            message.send()

    return send
