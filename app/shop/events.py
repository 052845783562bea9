"""Recording what happens to orders, for staff to read (table ``shop_event``)."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import ShopEvent


def record(
    session: Session,
    kind: str,
    *,
    by: str,
    now: datetime,
    order_id: int | None = None,
    detail: str = "",
) -> None:
    """Record an event in the transaction of what it tells of.

    ``by`` is the id of the request, or the name of the command or service. ``detail`` holds ids,
    amounts and states, and neither addresses nor tokens.
    """
    session.add(ShopEvent(at=now, kind=kind, order_id=order_id, by=by, detail=detail))


def take_provider_event(session: Session, event_id: str, kind: str, *, now: datetime) -> bool:
    """Record that the provider's event is acted on in this transaction. Returns False when another
    transaction has acted on it before (STANDARDS D4).
    """
    taken = session.scalars(
        insert_for(session, ShopEvent)
        .values(at=now, kind=kind, by="webhook", provider_event=event_id, detail="")
        .on_conflict_do_nothing(index_elements=["provider_event"])
        .returning(ShopEvent.id)
    ).one_or_none()
    return taken is not None
