"""The shop: catalogue, basket, checkout, payment, orders and receipts."""

import logging

from pyramid.config import Configurator

from app.shop.emails import KINDS
from app.shop.export import orders_for_export
from app.shop.payments.test import TestProvider

log = logging.getLogger(__name__)


def includeme(config: Configurator) -> None:
    """Register the routes, views and kinds of emails, and the payment provider.

    Without ``registry.payment_provider`` the checkout is closed.
    """
    for kind in KINDS:
        config.add_email_kind(kind)
    config.add_to_export("orders", orders_for_export)
    config.add_route("home", "/")
    config.add_route("product", "/products/{slug}")
    config.add_route("basket", "/basket")
    config.add_route("checkout", "/checkout")
    config.add_route("orders", "/orders")
    config.add_route("order", "/orders/{number}")
    config.add_route("withdraw", "/withdraw")
    config.add_route("resend_receipt", "/orders/{number}/resend-receipt")
    config.add_private_paths("/basket", "/checkout", "/orders", "/payments/")
    config.registry.payment_provider = None
    if config.registry.pillarbox.payments.provider == TestProvider.name:
        config.registry.payment_provider = TestProvider(config.registry)
        config.add_route("test_payment", "/payments/test/{payment}")
        config.scan("app.shop.views")
    else:
        log.warning(
            "checkout closed, because only payments.provider = test is supported: provider=%s",
            config.registry.pillarbox.payments.provider,
        )
        config.scan("app.shop.views", ignore="app.shop.views.test_payment")
