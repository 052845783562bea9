"""``/staff/suppressions``: the addresses to which nothing is sent for a while, and why. Staff lift
a suppression, and send what is still worth sending.

No URL holds an address. A URL that has to name one names an email that went to it.
"""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import lazyload

from app.accounts.form_fields import AddressField
from app.accounts.permissions import STAFF, STAFF_RECENT
from app.mail import addresses
from app.mail.events import suppression
from app.mail.outbox.search import newest_id
from app.mail.outbox.tables import ERASED, OutboxEmail, SuppressedAddress
from app.mail.outbox.worth_sending import Found, send_all, worth_sending
from app.staff.actions import record_action, record_emails
from app.staff.email_filter import read_id
from app.web.forms import Form
from app.web.translation import _, tell

PAGE = "staff/suppressions.jinja2"
MOST_ROWS = 100
_WITHOUT_FILES = (lazyload(OutboxEmail.attachments),)


class FindForm(Form):
    """An address to which emails went."""

    email = AddressField(autocomplete="off")


@view_config(route_name="staff_suppressions", request_method="GET", permission=STAFF, renderer=PAGE)
def show(request: Request) -> Any:
    """Show the newest suppressions. With ``?email=12``, show the address of that email too."""
    return _page(request, FindForm(request), _email(request, request.GET.get("email")))


@view_config(
    route_name="staff_suppressions",
    request_method="POST",
    request_param="act=find",
    permission=STAFF,
    renderer=PAGE,
)
def find(request: Request) -> Any:
    """Redirect to an address. The form is a POST, because an address in a URL stands in logs."""
    form = FindForm(request)
    if form.validate():
        key = addresses.key_of(form.email.address.stored)
        newest = newest_id(request.dbsession, key)
        if newest is not None:
            return _to_page(request, newest)
        form.refuse(form.email, _("No email was ever written to this address."))
    return _page(request, form)


@view_config(
    route_name="staff_suppressions",
    request_method="POST",
    request_param="act=lift",
    permission=STAFF_RECENT,
)
def lift(request: Request) -> Any:
    """Lift a suppression and forget the bounces. The next page offers what is worth sending."""
    session, key = request.dbsession, request.POST.get("address", "")
    row = session.get(SuppressedAddress, key)
    if row is None:
        tell(request, _("This address is not suppressed any more."))
        return _to_page(request, newest_id(session, key))
    about = f"email:{row.email_id}" if row.email_id is not None else "an address"
    detail = f"{row.event or 'by hand'} {row.code or ''}".rstrip()
    suppression.lift(session, key)
    record_action(request, "lift", about, done=1, detail=detail)
    tell(request, _("Emails go to ${address} again."), address=key)
    return _to_page(request, newest_id(session, key))


@view_config(
    route_name="staff_suppressions",
    request_method="POST",
    request_param="act=send",
    permission=STAFF_RECENT,
)
def send(request: Request) -> Any:
    """Send what is worth sending to the address of an email."""
    session, registry = request.dbsession, request.registry
    email = _email(request, request.POST.get("email"))
    if email is None:
        raise HTTPNotFound()
    sent = send_all(
        session,
        email.recipient_key,
        registry.email_kinds,
        request.now,
        registry.email_composer,
        request.id,
    )
    registry.email_wakeup.after_commit(session)
    about = f"address of email:{email.id}"
    count = len(sent.ids)
    row = record_action(request, "resend", about, done=count, refused=sent.refused)
    record_emails(session, row, sent.ids)
    tell(request, _("Emails on their way: ${count}."), count=str(count))
    return _to_page(request, email.id)


def _page(request: Request, form: FindForm, email: OutboxEmail | None = None) -> dict[str, Any]:
    """What the template needs. ``email`` names the address that is shown on its own."""
    session, now = request.dbsession, request.now
    rows = session.scalars(
        select(SuppressedAddress)
        .where(SuppressedAddress.until > now)
        .order_by(SuppressedAddress.created_at.desc(), SuppressedAddress.address)
        .limit(MOST_ROWS + 1)
    ).all()
    chosen, found = None, Found()
    if email is not None:
        chosen = session.get(SuppressedAddress, email.recipient_key)
        if chosen is None or chosen.until <= now:
            found = worth_sending(session, email.recipient_key, request.registry.email_kinds, now)
    return {
        "form": form,
        "rows": rows[:MOST_ROWS],
        "has_more": len(rows) > MOST_ROWS,
        "email": email,
        "chosen": chosen,
        "found": found,
    }


def _email(request: Request, id: str | None) -> OutboxEmail | None:
    if id is None:
        return None
    number = read_id(id)
    email: OutboxEmail | None = None
    if number is not None:
        email = request.dbsession.get(OutboxEmail, number, options=_WITHOUT_FILES)
    # An erased email names no address any more.
    if email is None or email.recipient_key == ERASED:
        raise HTTPNotFound()
    return email


def _to_page(request: Request, email_id: int | None) -> HTTPSeeOther:
    query = None if email_id is None else {"email": email_id}
    return HTTPSeeOther(request.route_path("staff_suppressions", _query=query))
