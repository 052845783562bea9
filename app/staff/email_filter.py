"""The filter of the log of emails: the form that staff fill in, and the query that keeps it.

An address in a URL would stand in logs. So the form is a POST, and the query names the recipient by
an email that went there: ``to_of=123`` is the recipient of email 123.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import SelectField, StringField
from wtforms.validators import ValidationError

from app.accounts.addresses import UnusableAddress, parse_address
from app.database.text import storable
from app.mail import addresses
from app.mail.outbox.search import Filter, has_message_id
from app.mail.outbox.tables import ERASED, OutboxEmail, State
from app.shop.models import Order
from app.shop.order_numbers import read_order_number
from app.staff.email_words import STATES
from app.web.forms import Form
from app.web.translation import _

WITHIN = {
    "hour": (_("The last hour"), timedelta(hours=1)),
    "day": (_("The last 24 hours"), timedelta(days=1)),
    "week": (_("The last 7 days"), timedelta(days=7)),
}
LARGEST_ID = 2**31 - 1
"""PostgreSQL's largest INTEGER."""

NEVER_WRITTEN = _("We never wrote an email to this address, or it was erased.")
NO_ORDER = _("There is no order with this number.")
NO_EMAIL = _("There is no email with this number.")
NO_MESSAGE = _("There is no email with this Message-ID.")
NOT_READABLE = _(
    "Enter a whole email address, a Message-ID, an order number or the number of an email."
)
ADDRESS_IN_REASON = _("Enter only how the reason begins, such as 550 5.1.1, without an address.")


@dataclass(frozen=True, slots=True)
class Query:
    """The filter as the URL keeps it. An empty field does not matter."""

    state: str = ""
    kind: str = ""
    within: str = ""
    reason: str = ""
    to_of: str = ""
    about: str = ""

    @classmethod
    def from_mapping(cls, fields: Mapping[str, str]) -> "Query":
        """The query of a URL. A value that no form sends counts as empty."""
        values = {name: fields.get(name, "").strip() for name in cls.__slots__}
        if values["state"] not in [state.value for state in State]:
            values["state"] = ""
        if values["within"] not in WITHIN:
            values["within"] = ""
        if read_id(values["to_of"]) is None:
            values["to_of"] = ""
        return cls(**values)

    def fields(self) -> dict[str, str]:
        """The fields that are not empty."""
        values = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in values if value}

    def filter(self, session: Session, now: datetime) -> Filter:
        """The filter at that time. Raises ``HTTPNotFound`` when the email in ``to_of`` does not
        exist, or its address was erased.
        """
        recipient = None
        if self.to_of:
            recipient = _recipient_of(session, int(self.to_of))
            if recipient is None:
                raise HTTPNotFound()
        return Filter(
            state=State(self.state) if self.state else None,
            kind=self.kind or None,
            recipient=recipient,
            since=now - WITHIN[self.within][1] if self.within else None,
            reason=self.reason or None,
            about=self.about or None,
        )

    def found_by(self, session: Session) -> str:
        """What the search field shows: the address or the order number that was entered."""
        if self.to_of:
            return _recipient_of(session, int(self.to_of)) or ""
        if self.about:
            return order_number(session, self.about) or ""
        return ""


class FilterForm(Form):
    """One search field and the filters. ``query`` is the new query once the form is valid, and
    ``email_id`` the one email that the search field names.
    """

    find = StringField(
        _("Address, Message-ID or order number"),
        render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"},
    )
    state = SelectField(_("Status"), validate_choice=False)
    kind = SelectField(_("Kind"), validate_choice=False)
    within = SelectField(_("Written"), validate_choice=False)
    reason = StringField(
        _("Reason begins with"), render_kw={"autocomplete": "off", "spellcheck": "false"}
    )

    def __init__(self, request: Request, query: Query) -> None:
        super().__init__(
            request,
            find=query.found_by(request.dbsession),
            state=query.state,
            kind=query.kind,
            within=query.within,
            reason=query.reason,
        )
        self.email_id: int | None = None
        self._kept = query
        self._found: dict[str, str] = {}
        translate = request.localizer.translate
        kinds = {kind.name for kind in request.registry.email_kinds} | {query.kind} - {""}
        self.state.choices = [
            ("", translate(_("Any status"))),
            *((state.value, translate(words)) for state, words in STATES.items()),
        ]
        self.kind.choices = [
            ("", translate(_("All kinds"))),
            *((name, name) for name in sorted(kinds)),
        ]
        self.within.choices = [
            ("", translate(_("At any time"))),
            *((name, translate(words)) for name, (words, _period) in WITHIN.items()),
        ]

    @property
    def query(self) -> Query:
        """The query for what was entered."""
        fields = {name: self[name].data or "" for name in ("state", "kind", "within", "reason")}
        return Query.from_mapping(fields | self._found)

    def validate_reason(self, field: StringField) -> None:
        """Keep addresses out of the URL."""
        if "@" in (field.data or ""):
            raise ValidationError(ADDRESS_IN_REASON)

    def validate_find(self, field: StringField) -> None:
        """Look up what was entered."""
        session, text = self.request.dbsession, storable((field.data or "").strip())
        if not text:
            return
        if self._kept.about and text == self._kept.found_by(session):
            self._found = {"about": self._kept.about}
        elif (number := read_order_number(text)) is not None:
            about = about_order(session, number)
            if about is None:
                raise ValidationError(NO_ORDER)
            self._found = {"about": about}
        elif "@" in text:
            self._find_message_or_address(session, text)
        elif (id := read_id(text.lstrip("#"))) is not None:
            if session.scalar(select(OutboxEmail.id).where(OutboxEmail.id == id)) is None:
                raise ValidationError(NO_EMAIL)
            self.email_id = id
        else:
            raise ValidationError(NOT_READABLE)

    def _find_message_or_address(self, session: Session, text: str) -> None:
        inner = text.removeprefix("<").removesuffix(">")
        self.email_id = session.scalar(select(OutboxEmail.id).where(has_message_id(text)))
        if self.email_id is not None:
            return
        to = select(OutboxEmail.id).where(OutboxEmail.recipient_key == _key_of(inner))
        id = session.scalar(to.order_by(OutboxEmail.id.desc()).limit(1))
        if id is None:
            raise ValidationError(NO_MESSAGE if text != inner else NEVER_WRITTEN)
        self._found = {"to_of": str(id)}


def read_id(text: str) -> int | None:
    """The id in ``text``. None when it is no number, or larger than an id can be."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    id = int(text)
    return id if id <= LARGEST_ID else None


def about_order(session: Session, number: str) -> str | None:
    """What an email about the order says it is about, such as ``order:7``. None when there is no
    order with this number, which is in the form that ``read_order_number`` returns.
    """
    order_id = session.scalar(select(Order.id).where(Order.number == number))
    return None if order_id is None else f"order:{order_id}"


def order_number(session: Session, about: str) -> str | None:
    """The number of the order that an email is about. None when it is about something else."""
    what, _colon, id = about.partition(":")
    if what != "order" or (order_id := read_id(id)) is None:
        return None
    return session.scalar(select(Order.number).where(Order.id == order_id))


def _recipient_of(session: Session, email_id: int) -> str | None:
    """The recipient of the email. None when there is no such email, or its recipient was erased."""
    found = select(OutboxEmail.recipient).where(OutboxEmail.id == email_id)
    return session.scalar(found.where(OutboxEmail.recipient != ERASED))


def _key_of(text: str) -> str:
    """The key by which emails to the address are found, as accounts write the address."""
    try:
        return addresses.key_of(parse_address(text).stored)
    except UnusableAddress:
        return addresses.key_of(text)
