"""Issue a document: it gets its number in the transaction of what it is about."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo

from sqlalchemy.orm import Session

from app.database.base import insert_for
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
    taxes: Sequence[Tax] = (),
) -> Document:
    """Write the document, numbered without gaps within its series and the year of ``now`` in
    ``zone`` (STANDARDS D7).

    One transaction increments the counter and writes the document, so a rollback undoes both. A
    second transaction waits for the counter's row, so two documents never get one number.

    ``taxes`` is how the amount of a refund is spread over the VAT rates, as
    ``app.shop.refund_taxes`` says. What later refunds get is computed from ``data["taxes"]``.
    """
    series = TEST_SERIES if payment.is_test else ""
    year = now.astimezone(zone).year
    counter = insert_for(session, DocumentCounter).values(series=series, year=year, last=1)
    number = session.scalars(
        counter.on_conflict_do_update(
            index_elements=["series", "year"], set_={"last": DocumentCounter.last + 1}
        ).returning(DocumentCounter.last)
    ).one()
    document = Document(
        kind=kind,
        series=series,
        year=year,
        number=number,
        order_id=order.id,
        payment_id=payment.id,
        refund_id=refund.id if refund else None,
        issued_at=now,
        data={"taxes": [asdict(tax) for tax in taxes]} if refund else None,
    )
    session.add(document)
    session.flush()
    return document
