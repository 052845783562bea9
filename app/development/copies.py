"""Sends a copy of an email to a developer, whose address ``email.debug_recipients`` allows."""

from typing import Any

from pyramid.request import Request
from wtforms import EmailField
from wtforms.validators import InputRequired, ValidationError

from app.mail import addresses
from app.mail.copying import copy_for, copy_key
from app.mail.kinds import Kind
from app.mail.outbox.tables import OutboxEmail, State
from app.web.forms import Form
from app.web.translation import _, tell


def _is_allowed(form: "CopyForm", field: EmailField) -> None:
    try:
        addresses.ascii_domain(field.data or "")
    except addresses.BadAddress as error:
        raise ValidationError(
            _("Enter an email address in the format name@example.com.")
        ) from error
    if not addresses.matches(field.data or "", form.allowed):
        raise ValidationError(_("Enter an address that email.debug_recipients allows."))


class CopyForm(Form):
    """Where the copy goes. The form shows the first whole address of ``email.debug_recipients``."""

    to = EmailField(
        _("Your address"),
        [InputRequired(_("Enter your email address.")), _is_allowed],
        filters=[lambda text: (text or "").strip()],
        render_kw={"autocomplete": "email", "spellcheck": "false", "autocapitalize": "none"},
    )

    def __init__(self, request: Request, **initial: Any) -> None:
        self.allowed: tuple[str, ...] = request.registry.pillarbox.email.debug_recipients
        whole = (pattern for pattern in self.allowed if not pattern.startswith("*"))
        super().__init__(request, **{"to": next(whole, "")} | initial)
        self.to.description = _(
            "email.debug_recipients allows ${allowed}.",
            mapping={"allowed": ", ".join(self.allowed)},
        )


def copy_form(request: Request, kind: Kind | None, email: OutboxEmail) -> CopyForm | None:
    """The form; None when the email has no bodies, or its kind no longer exists."""
    return CopyForm(request) if kind is not None and email.has_body else None


def send_copy(request: Request, kind: Kind, email: OutboxEmail, address: str) -> None:
    """Send a copy through the outbox, and tell the developer what becomes of it."""
    message = copy_for(address, email, kind)
    copy = request.email_service.send_message(message, key=copy_key())
    if copy.state == State.QUEUED:
        words = _("A copy is on its way to ${address}.", mapping={"address": address})
    else:
        words = _(
            "The copy to ${address} is ${state}: ${reason}.",
            mapping={"address": address, "state": copy.state, "reason": copy.reason},
        )
    tell(request, words)
