"""How many events a second the webhook takes, each in a call of its own, and in calls of 100."""

import json
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyramid.request import Request
from pyramid.router import Router

from app import configure
from app.mail import Message, Recipient
from app.mail.outbox.tables import State
from app.mail.test_message import TEST_MESSAGE
from benchmarks.databases import ENGINES, Databases
from benchmarks.outbox import fill
from benchmarks.table import Line, Section, number
from tests.support.service_events import sendgrid_event
from tests.support.shop_settings import shop_settings

SECRET = "the secret of the benchmark"
HEADERS = {
    "Host": "localhost",
    "Content-Type": "application/json",
    "Authorization": "Basic " + b64encode(f"pillarbox:{SECRET}".encode()).decode(),
}
CALLERS = 4
"""As many as the server has threads."""


def run(databases: Databases, *, quick: bool) -> Section:
    """Tell that emails were delivered, each once."""
    emails = 200 if quick else 4000
    lines = []
    for engine in ENGINES:
        settings = {"email.events": "sendgrid", "email.events_secret": SECRET}
        router = configure({}, shop_settings(databases.new(engine)) | settings).make_wsgi_app()
        message = Message(
            TEST_MESSAGE, Recipient("ada@example.org"), "benchmark", "For you", "<p>Hi", "Hi\n"
        )
        fill(router.registry, message, emails, key="event", state=State.SENT)
        tags = [router.registry.email_tags.of(number) for number in range(1, emails + 1)]
        told = [sendgrid_event("delivered", tag) for tag in tags]
        half = emails // 2
        alone = _events_a_second(router, [[event] for event in told[:half]])
        together = _events_a_second(
            router, [told[start : start + 100] for start in range(half, emails, 100)]
        )
        lines.append(Line(engine, [number(alone), number(together)]))
        router.registry.database.dispose()
    return Section(
        f"Events a second at the webhook, {CALLERS} calls at once",
        ["1 a call", "100 a call"],
        lines,
        ">= 100 events a second",
    )


def _events_a_second(router: Router, calls: list[list[dict[str, Any]]]) -> float:
    def call(told: list[dict[str, Any]]) -> None:
        request = Request.blank("/webhooks/email", method="POST", headers=HEADERS)
        request.body = json.dumps(told).encode()
        response = request.get_response(router)
        assert response.status_int == 200, response.status

    begun = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(call, calls))
    return sum(map(len, calls)) / (time.perf_counter() - begun)
