"""Issue a document: it gets its number in the transaction of what it is about."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from hashlib import sha256

from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.i18n.languages import Languages
from app.shop.documents.pdf import render
from app.shop.documents.snapshot import receipt_content, refund_content
from app.shop.models import Document, DocumentCounter, DocumentKind, Order, Payment, Refund
from app.shop.models.documents import TEST_SERIES
from app.shop.money import Tax


def issue(
    session: Session,
    kind: DocumentKind,
    order: Order,
    payment: Payment,
    refund: Refund | None = None,
    *,
    now: datetime,
    zone: tzinfo,
    languages: Languages,
    taxes: Sequence[Tax] = (),
) -> Document:
    """Write the document with its PDF, numbered without gaps within its series and the year of
    ``now`` in ``zone`` (STANDARDS D7). If the PDF cannot be made, ``fill_in`` makes it later.

    One transaction increments the counter and writes the document, so a rollback undoes both. A
    second transaction waits for the counter's row, so two documents never get one number.

    ``taxes`` is how the amount of a refund is spread over the VAT rates, as
    ``app.shop.refund_taxes`` says. What later refunds get is computed from ``data["taxes"]``.
    """
    series = TEST_SERIES if payment.is_test else ""
    year = now.astimezone(zone).year
    document = Document(
        kind=kind,
        series=series,
        year=year,
        number=_next_number(session, series, year),
        order_id=order.id,
        payment_id=payment.id,
        refund_id=refund.id if refund else None,
        issued_at=now,
    )
    if refund is None:
        content = receipt_content(document, order, payment)
    else:
        content = refund_content(document, order, payment, refund, taxes)
    document.data = content.to_json()
    document.pdf = render(content, languages, zone)
    document.sha256 = sha256(document.pdf).hexdigest() if document.pdf else None
    session.add(document)
    session.flush()
    return document


def _next_number(session: Session, series: str, year: int) -> int:
    counter = insert_for(session, DocumentCounter).values(series=series, year=year, last=1)
    number: int = session.scalars(
        counter.on_conflict_do_update(
            index_elements=["series", "year"], set_={"last": DocumentCounter.last + 1}
        ).returning(DocumentCounter.last)
    ).one()
    return number
