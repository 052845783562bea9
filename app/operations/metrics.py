"""``/metrics`` for Prometheus: what this process counted, and what waits in the outbox."""

import hmac
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.mail import command_counts
from app.mail.delivery import relay
from app.mail.metrics import METRICS, begin_series
from app.mail.outbox.volumes import longest_overdue, waiting
from app.operations.readiness import NotReady, database_errors_as_not_ready
from app.web.hosts import is_direct

MOST = 100_000
"""No more emails than these are counted, so that a long queue does not slow the answer."""
REFUSED = "Only this machine may read the metrics, and who knows metrics.token.\n"


@view_config(route_name="metrics", request_method="GET")
def metrics(request: Request) -> Response:
    """The metrics as text. Only this machine may read them, and who knows ``metrics.token``."""
    token = request.registry.pillarbox.metrics.token
    status = status_for(request.environ, token, is_direct=is_direct(request))
    if status == HTTPStatus.OK:
        response = Response(body=text_of(request.registry))
        response.headers["Content-Type"] = CONTENT_TYPE_LATEST
    else:
        response = Response(REFUSED, status=status)
        response.content_type = "text/plain"
        if status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
    response.cache_control = "no-store"
    return response


def status_for(environ: Mapping[str, Any], token: str | None, *, is_direct: bool) -> HTTPStatus:
    """200 for a request that this machine makes itself or that has the token. Otherwise 401 asks
    for the token, or 403 refuses if none is set.
    """
    if is_direct:
        return HTTPStatus.OK
    if token is None:
        return HTTPStatus.FORBIDDEN
    given = environ.get("HTTP_AUTHORIZATION", "").encode("utf-8", "replace")
    has_token = hmac.compare_digest(given, f"Bearer {token}".encode())
    return HTTPStatus.OK if has_token else HTTPStatus.UNAUTHORIZED


def text_of(registry: Registry) -> bytes:
    """The metrics in Prometheus' text format."""
    begin_series(registry.email_kinds)
    waiting, database = CollectorRegistry(), _Waiting(registry)
    waiting.register(database)
    gauges = generate_latest(waiting)
    if database.has_counts_of_commands:
        command_counts.take(registry.database)
    return generate_latest(METRICS) + gauges


class _Waiting(Collector):
    """Reads from the database what waits, and whether a command has left counts there."""

    has_counts_of_commands = False

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        is_reached = GaugeMetricFamily(
            "pillarbox_database_reachable", "1 when the database answers, else 0."
        )
        try:
            found = self._read()
        except NotReady:
            is_reached.add_metric([], 0)
            yield is_reached
            return
        is_reached.add_metric([], 1)
        yield is_reached
        yield from found

    def _read(self) -> list[Metric]:
        registry = self._registry
        now = registry.clock()
        name = relay.name_of(registry.pillarbox.email)
        with (
            database_errors_as_not_ready(),
            registry.database.transaction(write=False) as session,
        ):
            counts = waiting(session, MOST)
            overdue = longest_overdue(session, now)
            rest = relay.rest(session, name, now)
            self.has_counts_of_commands = command_counts.are_waiting(session)
        queue = GaugeMetricFamily(
            "pillarbox_queue_emails",
            f"Emails that wait, are being sent or are held in doubt; {MOST} means that or more.",
            labels=["state"],
        )
        for state, count in counts.items():
            queue.add_metric([state], count)
        return [
            queue,
            GaugeMetricFamily(
                "pillarbox_queue_oldest_seconds",
                "How long the email that is overdue the longest has been due.",
                value=overdue.total_seconds(),
            ),
            GaugeMetricFamily(
                "pillarbox_relay_resting",
                "1 while no worker tries the relay, else 0.",
                value=int(rest is not None),
            ),
        ]


def includeme(config: Configurator) -> None:
    """Add ``/metrics``."""
    config.add_route("metrics", "/metrics")
    config.scan(__name__)
