"""Make the PDF files that documents lack: of receipts from versions that made none, and of
documents whose file could not be made when they were issued.
"""

from hashlib import sha256

from pyramid.registry import Registry
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.documents.content import DocumentContent
from app.shop.documents.pdf import render
from app.shop.documents.snapshot import receipt_content
from app.shop.models import Document, Order, Payment

BATCH = 500
"""How many documents one run tries."""


def fill_in(registry: Registry) -> dict[str, int]:
    """Make the missing files, the oldest first. A document that has one keeps it."""
    missing = select(Document.id).where(Document.sha256.is_(None)).order_by(Document.id)
    with short_transaction(registry, write=False) as session:
        found = session.scalars(missing.limit(BATCH)).all()
    return {"documents rendered": sum(_fill_in(registry, document_id) for document_id in found)}


def _fill_in(registry: Registry, document_id: int) -> bool:
    with short_transaction(registry, write=False) as session:
        content = _content(session, session.get_one(Document, document_id))
    # Rendering takes longer than writing, so it happens outside of the transaction.
    pdf = render(content, registry.languages, registry.pillarbox.site.time_zone)
    if pdf is None:
        return False
    with short_transaction(registry, write=True) as session:
        written = session.scalars(
            update(Document)
            .where(Document.id == document_id, Document.sha256.is_(None))
            .values(data=content.to_json(), pdf=pdf, sha256=sha256(pdf).hexdigest())
            .returning(Document.id)
        ).one_or_none()
    return written is not None


def _content(session: Session, document: Document) -> DocumentContent:
    """What the document says. Only receipts were written without it."""
    if document.data is not None:
        return DocumentContent.from_json(document.data)
    order = session.get_one(Order, document.order_id)
    return receipt_content(document, order, session.get_one(Payment, document.payment_id))
