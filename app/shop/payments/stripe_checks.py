"""Checks at Stripe: the key and its permissions, the mode, and the webhook endpoint.

They change nothing at Stripe. Whether the key may write is asked with objects that do not exist:
Stripe looks at the permission first, and answers 403 without it and 404 with it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import stripe
from pyramid.request import Request
from sqlalchemy import func, select
from stripe import StripeClient, WebhookEndpoint

from app.database import short_transaction
from app.shop.models import ShopEvent
from app.shop.payments.checks import Check
from app.shop.payments.stripe import StripeProvider
from app.shop.payments.webhook import EVENTS

KEYS_PAGE = "https://dashboard.stripe.com/apikeys"
WEBHOOKS_PAGE = "https://dashboard.stripe.com/webhooks"
NOTHING = "pillarbox_check_of_permissions"
"""The end of ids that no object has."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission of a restricted key, as Stripe's dashboard names it, and a request that needs
    it.
    """

    name: str
    access: str
    use: str
    ask: Callable[[StripeClient], object]


PERMISSIONS = (
    Permission(
        "Checkout Sessions",
        "Write",
        "to start payments",
        lambda client: client.v1.checkout.sessions.expire(f"cs_{NOTHING}"),
    ),
    Permission(
        "PaymentIntents",
        "Read",
        "to learn whether a payment has succeeded",
        lambda client: client.v1.payment_intents.retrieve(f"pi_{NOTHING}"),
    ),
    Permission(
        "Charges and Refunds",
        "Write",
        "to refund",
        lambda client: client.v1.refunds.create({"payment_intent": f"pi_{NOTHING}"}),
    ),
    Permission(
        "Charges and Refunds",
        "Read",
        "to read the card's brand and the text on the statement",
        lambda client: client.v1.charges.retrieve(f"ch_{NOTHING}"),
    ),
    Permission(
        "Disputes",
        "Read",
        "to read what a bank wants",
        lambda client: client.v1.disputes.list({"limit": 1}),
    ),
)
"""What the shop does with its key."""


def stripe_checks(request: Request) -> Iterator[Check]:
    """Ask Stripe. When it does not accept the key or cannot be reached, that is the last check."""
    provider: StripeProvider = request.registry.payment_provider
    yield _mode(request, provider)
    key = _key(provider.client)
    yield key
    if not key.is_ok:
        return
    yield from _account(provider)
    for permission in PERMISSIONS:
        yield _permission(provider.client, permission)
    yield _webhook(request, provider.client)
    yield _events(request)
    yield Check("API version", f"{stripe.api_version}, of the package stripe {stripe.VERSION}")


def _mode(request: Request, provider: StripeProvider) -> Check:
    if provider.is_test:
        return Check("mode", "test: the key is a test key, and nothing is charged")
    if not request.registry.pillarbox.is_production:
        return Check(
            "mode",
            "the key is a live key, so this development shop takes real money",
            f"Use a test key here: {KEYS_PAGE}",
        )
    return Check("mode", "live: customers pay with real money")


def _key(client: StripeClient) -> Check:
    try:
        client.v1.checkout.sessions.list({"limit": 1})
    except stripe.AuthenticationError:
        return Check(
            "key",
            "Stripe does not accept it",
            f"Make a new one at {KEYS_PAGE}, put it into payments.stripe_secret_key, and restart"
            " the shop.",
        )
    except stripe.PermissionError:
        pass  # Stripe knows the key. What it may do is checked next.
    except stripe.StripeError as error:
        return Check("key", f"Stripe does not answer ({_name(error)})", _cure_of_silence(error))
    return Check("key", "Stripe accepts it")


def _account(provider: StripeProvider) -> Iterator[Check]:
    """Whether the account may take money. A restricted key is seldom allowed to read that."""
    if provider.is_test:
        return
    try:
        account = provider.client.v1.accounts.retrieve_current()
    except stripe.StripeError:
        return
    if not account.charges_enabled:
        yield Check(
            "account",
            "Stripe does not let it take payments yet",
            "Finish the account's activation: https://dashboard.stripe.com/account/onboarding",
        )


def _permission(client: StripeClient, permission: Permission) -> Check:
    what = "permission"
    named = f"{permission.name}: {permission.access}"
    try:
        permission.ask(client)
    except stripe.PermissionError as error:
        code = re.search(r"\brak_\w+", str(error))
        also = f" (Stripe's own name: {code[0]})" if code else ""
        return Check(
            what,
            f"{named} is missing, {permission.use}",
            f"Edit the key at {KEYS_PAGE}, and set {permission.name} to {permission.access}{also}.",
        )
    except stripe.InvalidRequestError:
        pass  # There is no such object, and the key could have used it.
    except stripe.StripeError as error:
        return Check(what, f"{named} cannot be checked ({_name(error)})", _cure_of_silence(error))
    return Check(what, named)


def _webhook(request: Request, client: StripeClient) -> Check:
    url = request.link("stripe_webhook")
    try:
        endpoints = list(client.v1.webhook_endpoints.list({"limit": 100}).auto_paging_iter())
    except stripe.PermissionError:
        return Check(
            "webhook",
            "the key may not read the webhook endpoints",
            f"Edit the key at {KEYS_PAGE}, and set Webhook Endpoints to Read.",
        )
    except stripe.StripeError as error:
        return Check("webhook", f"cannot be checked ({_name(error)})", _cure_of_silence(error))
    ours = [endpoint for endpoint in endpoints if endpoint.url == url]
    if not ours:
        return Check("webhook", f"Stripe has no endpoint with the address {url}", _cure_of(url))
    found = [_endpoint(endpoint) for endpoint in ours]
    return next((check for check in found if check.is_ok), found[0])


def _endpoint(endpoint: WebhookEndpoint) -> Check:
    if endpoint.status != "enabled":
        return Check(
            "webhook",
            f"{endpoint.url} is {endpoint.status}, so Stripe sends no events",
            f"Enable it: {WEBHOOKS_PAGE}",
        )
    missing = [name for name in EVENTS if name not in endpoint.enabled_events]
    if missing and "*" not in endpoint.enabled_events:
        return Check(
            "webhook",
            f"{endpoint.url} does not send {', '.join(missing)}",
            f"Add these events to the endpoint: {WEBHOOKS_PAGE}",
        )
    return Check("webhook", f"{endpoint.url} is enabled and sends all {len(EVENTS)} events")


def _cure_of(url: str) -> str:
    if not url.startswith("https://"):
        return (
            "Stripe cannot reach this machine. Let the Stripe CLI bring the events:"
            f" stripe listen --forward-to {url}"
        )
    return (
        f"Add an endpoint with this address and these events: {WEBHOOKS_PAGE}"
        f" ({', '.join(EVENTS)}). Put its signing secret into payments.stripe_webhook_secrets."
    )


def _events(request: Request) -> Check:
    with short_transaction(request.registry, write=False) as session:
        latest = session.scalar(
            select(func.max(ShopEvent.at)).where(ShopEvent.provider_event.is_not(None))
        )
    secrets = len(request.registry.pillarbox.payments.stripe_webhook_secrets)
    known = f"{secrets} signing secret{'s' if secrets > 1 else ''}"
    came = f"the last one came at {latest:%Y-%m-%d %H:%M} UTC" if latest else "none has come yet"
    return Check("events", f"{known}; {came}")


def _name(error: stripe.StripeError) -> str:
    return f"{type(error).__name__}, {error.http_status or 'no answer'}"


def _cure_of_silence(error: stripe.StripeError) -> str:
    if isinstance(error, stripe.APIConnectionError):
        return "Allow this machine to open HTTPS connections to api.stripe.com, and try again."
    return "Look at https://status.stripe.com, and try again in a few minutes."
