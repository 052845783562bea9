"""Whether the relay takes a connection, how long its certificate lives, and whether it accepts the
login.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pyramid.registry import Registry

from app.mail.delivery import relay
from app.mail.smtp.mailer import Mailer, RelayUnavailable, Timeouts
from app.operations.doctor.findings import Finding, ok, problem, warning
from app.operations.readiness import NotReady, require_migrated_database
from app.settings.declarations import Email

SECONDS = 10.0
"""How long to wait for the relay, which is less than delivery waits."""
SHORT_LIFE = timedelta(days=14)
_CURES = {
    "connect": "Check email.smtp_server, email.smtp_port and email.smtp_security, and whether a"
    " firewall lets this machine reach that port.",
    "starttls": "If the relay's certificate comes from a CA of your own, set email.smtp_ca_file.",
    "auth": "Check email.smtp_username and email.smtp_password, or the token's settings.",
}


def check(registry: Registry) -> Iterator[Finding]:
    """Yield the findings. While no email is sent, because of debug mode, the relay is not asked."""
    settings: Email = registry.pillarbox.email
    if settings.debug:
        if settings.debug_recipients:
            words = "email.debug is true: only email.debug_recipients are sent their emails"
        else:
            words = "email.debug is true: every email is captured and none is sent"
        in_production = registry.pillarbox.is_production
        yield warning(words, "Set email.debug = false to send.") if in_production else ok(words)
        if not settings.debug_recipients:
            return
    yield from _connection(settings)
    yield from _rest(registry, settings)


def _connection(settings: Email) -> Iterator[Finding]:
    name = relay.name_of(settings)
    mailer = Mailer(settings, Timeouts(SECONDS, SECONDS, SECONDS))
    try:
        mailer.connect()
    except RelayUnavailable as error:
        phase = str(error).partition(":")[0]
        cure = _CURES.get(phase, "Look up what the relay says in its documentation.")
        if "certificate" in str(error):
            cure = _CURES["starttls"]
        yield problem(f"{name} is not available: {error}", cure)
        return
    certificate = mailer.certificate_ends_at()
    mailer.quit()
    how = "without a login" if settings.smtp_username is None else "and the login was accepted"
    yield ok(f"{name} answers, {how}")
    if settings.smtp_security == "none":
        yield ok("no TLS, because the relay is on this machine")
    elif certificate is not None:
        yield _certificate(certificate)


def _certificate(ends_at: datetime) -> Finding:
    left = ends_at - datetime.now(UTC)
    words = f"its certificate is trusted and ends in {left.days} days"
    if left > SHORT_LIFE:
        return ok(words)
    return warning(words, "Whoever runs the relay has to renew it; emails wait when it has ended.")


def _rest(registry: Registry, settings: Email) -> Iterator[Finding]:
    try:
        require_migrated_database(registry)
    except NotReady:
        return
    with registry.database.transaction(write=False) as session:
        rest = relay.rest(session, relay.name_of(settings), registry.clock())
    if rest is None:
        yield ok("the relay is not resting")
    else:
        yield problem(
            f"the relay rests until {rest.until:%H:%M:%S} UTC: {rest.reason}",
            "Correct what the relay says. Workers try again by themselves, and no email is lost.",
        )
