"""The PDF files of an order's documents, for its customer alone (STANDARDS D11)."""

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select

from app.accounts.permissions import SIGNED_IN
from app.shop.content_disposition import attachment
from app.shop.emails.attachments import document_file
from app.shop.models import Document, DocumentKind, Order
from app.shop.order_numbers import read_order_number


@view_config(route_name="receipt_pdf", request_method="GET", permission=SIGNED_IN)
def receipt_pdf(request: Request) -> Response:
    """The receipt of an order."""
    return _file(request, DocumentKind.RECEIPT)


@view_config(route_name="refund_pdf", request_method="GET", permission=SIGNED_IN)
def refund_pdf(request: Request) -> Response:
    """The document of a refund, by its number."""
    return _file(request, DocumentKind.REFUND, request.matchdict["document"])


def _file(request: Request, kind: DocumentKind, number: str | None = None) -> Response:
    """The document's file. 404 if there is none, or if the order is another customer's."""
    found = request.dbsession.execute(
        select(Document, Order)
        .join(Order, Order.id == Document.order_id)
        .where(
            Order.number == read_order_number(request.matchdict["number"]),
            Order.account_id == request.account.id,
            Document.kind == kind,
            Document.sha256.is_not(None),
        )
        .order_by(Document.id)
    )
    for document, order in found:
        if number in (None, document.full_number):
            languages = request.registry.languages
            words = languages.translations(languages.nearest(order.locale))
            [file] = document_file(document, words)
            response = Response(file.content, content_type=file.content_type, charset=None)
            response.content_disposition = attachment(file.filename)
            return response
    raise HTTPNotFound()
