"""What Stripe tells by webhook (STANDARDS D4)."""

import logging

from pyramid.httpexceptions import HTTPBadRequest, HTTPInternalServerError, HTTPOk
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.shop.payments.provider import ProviderError
from app.shop.payments.waiting import place_to_wait
from app.shop.payments.webhook import BadEvent, act_on, read_event

log = logging.getLogger(__name__)


@view_config(route_name="stripe_webhook", request_method="POST", require_csrf=False)
def stripe_webhook(request: Request) -> Response:
    """Act on an event of Stripe. 400 for what Stripe did not sign, 200 for what is not about us,
    500 when we could not act on it, so that Stripe sends it again.
    """
    secrets = request.registry.pillarbox.payments.stripe_webhook_secrets
    signature = request.headers.get("Stripe-Signature", "")
    try:
        event = read_event(request.body, signature, secrets, request.now)
    except BadEvent as problem:
        log.warning("webhook refused: problem=%s", problem)
        return HTTPBadRequest()
    try:
        with place_to_wait(request.registry):
            act_on(request, event)
    except ProviderError as error:
        values = event.id, event.type, error
        log.warning("webhook not acted on: event=%s type=%s problem=%s", *values)
        return HTTPInternalServerError()
    return HTTPOk()
