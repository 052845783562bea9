"""``/metrics`` for Prometheus: what this process counted, and what waits in the outbox."""

import hmac
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.mail.delivery import relay
from app.mail.metrics import METRICS
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
    if may_read(request.environ, token, is_direct=is_direct(request)):
        response = Response(body=text_of(request.registry))
        response.headers["Content-Type"] = CONTENT_TYPE_LATEST
    else:
        response = Response(REFUSED, status=403 if token is None else 401)
        response.content_type = "text/plain"
        if token is not None:
            response.headers["WWW-Authenticate"] = "Bearer"
    response.cache_control = "no-store"
    return response


def may_read(environ: Mapping[str, Any], token: str | None, *, is_direct: bool) -> bool:
    """Whether the request comes from this machine and not through a proxy, or has the token."""
    if is_direct and _is_loopback(environ.get("REMOTE_ADDR", "")):
        return True
    given = environ.get("HTTP_AUTHORIZATION", "")
    return token is not None and hmac.compare_digest(
        given.encode("utf-8", "replace"), f"Bearer {token}".encode()
    )


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def text_of(registry: Registry) -> bytes:
    """The metrics in Prometheus' text format."""
    waiting = CollectorRegistry()
    waiting.register(_Waiting(registry))
    return generate_latest(METRICS) + generate_latest(waiting)


class _Waiting(Collector):
    """Reads from the database what waits."""

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
