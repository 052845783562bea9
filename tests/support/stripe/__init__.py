"""A fake of Stripe's API: a real HTTP server on this machine, for the real package ``stripe``.

::

    with FakeStripe(clock) as stripe:                # in a test: the fixture ``stripe``
        app = make_app(settings_values | stripe.settings())
        ...                                          # the application makes a session
        [session] = stripe.sessions                  # as Stripe shows it, a dict
        stripe.pay(session["id"])                    # or press a button of session["url"]
        stripe.deliver(post)                         # post(body, headers) -> status
        stripe.deliver(post, reverse=True, times=2)  # also signed_at=..., lost=(type, ...)
        stripe.fail("POST /v1/refunds", when="after")    # the work is done, the answer is 500
        hanging = stripe.hang("POST /v1/checkout/*")     # later: hanging.release() or .drop()

What a customer and a bank do: ``pay``, ``pay_later``, ``succeed_later``, ``fail_later``,
``decline``, ``expire``. Money that goes back: ``next_refund``, ``change_refund``,
``refund_in_dashboard``, ``dispute``, ``close_dispute``. What goes wrong: ``fail``, ``hang`` and
``drop``, ``before``, ``during`` or ``after`` the work; ``refuse_connections``,
``api.refuses_keys``, ``api.lacks``. What came: ``requests``. A server in another process gets its
events by ``deliver_by_itself(url)``. The clock is real time if none is given.
"""

from tests.support.stripe.events import SECRET, post_to
from tests.support.stripe.fake import KEY, LIVE_KEY, FakeStripe
from tests.support.stripe.faults import Fault
from tests.support.stripe.paying import NotPayable
from tests.support.stripe.state import Json, Request

__all__ = [
    "KEY",
    "LIVE_KEY",
    "SECRET",
    "FakeStripe",
    "Fault",
    "Json",
    "NotPayable",
    "Request",
    "post_to",
]
