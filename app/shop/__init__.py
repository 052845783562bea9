"""The shop: catalogue, basket, checkout, payment, orders and receipts."""

import logging

from pyramid.config import Configurator
from pyramid.registry import Registry

from app.database import short_transaction
from app.shop.emails import KINDS, Notice, send_shop_notice
from app.shop.export import orders_for_export
from app.shop.payments.provider import PaymentProvider
from app.shop.payments.test import TestProvider
from app.shop.payments.waiting import USUAL_THREADS, share_threads
from app.web.background import background_request

log = logging.getLogger(__name__)


def includeme(config: Configurator) -> None:
    """Register the routes, views and kinds of email, and the payment provider."""
    for kind in KINDS:
        config.add_email_kind(kind)
    config.add_to_export("orders", orders_for_export)
    config.add_route("home", "/")
    config.add_route("product", "/products/{slug}")
    config.add_route("picture", "/pictures/{sha256:[0-9a-f]{64}}")
    config.add_route("basket", "/basket")
    config.add_route("checkout", "/checkout")
    config.add_route("orders", "/orders")
    config.add_route("order", "/orders/{number}")
    config.add_route("resend_receipt", "/orders/{number}/resend-receipt")
    config.add_route("receipt_pdf", "/orders/{number}/receipt.pdf")
    config.add_route("refund_pdf", "/orders/{number}/refunds/{document}.pdf")
    config.add_route("start_download", "/orders/{number}/start-download")
    config.add_route("file", "/orders/{number}/files/{position}")
    config.add_route("withdraw", "/withdraw")
    config.add_route("confirm_withdrawal", "/withdraw/confirm")
    config.add_route("withdrawal_received", "/withdraw/received")
    config.add_private_paths("/basket", "/checkout", "/orders", "/payments/", "/withdraw/")
    registry = config.registry
    share_threads(registry, USUAL_THREADS)
    registry.payment_provider = provider = _provider(registry)
    ignored = []
    if provider.name == TestProvider.name:
        config.add_route("test_payment", "/payments/test/{payment}")
        ignored.append("app.shop.views.webhooks")
    else:
        config.add_route("stripe_webhook", "/webhooks/stripe")
        ignored.append("app.shop.views.test_payment")
    config.scan("app.shop.views", ignore=ignored)


def _provider(registry: Registry) -> PaymentProvider:
    settings = registry.pillarbox.payments
    if settings.provider == TestProvider.name:
        return TestProvider(registry)
    # The library takes 0.15 seconds to import, which a shop without it need not wait for.
    from app.shop.payments.stripe import StripeProvider

    return StripeProvider(settings, lambda: _tell_of_refused_key(registry))


def _tell_of_refused_key(registry: Registry) -> None:
    """Tell the shop's own people, once a day."""
    request = background_request(registry, "payments")
    with short_transaction(registry, write=True) as session:
        send_shop_notice(request, session, Notice.KEY_REFUSED, f"{request.now:%Y-%m-%d}")
