"""The files that are attached to the shop's emails."""

from gettext import NullTranslations

from pyramid.i18n import TranslationString

from app.mail.message import Attachment
from app.shop.models import Document, DocumentKind, Order
from app.web.translation import _


def document_file(document: Document, words: NullTranslations) -> tuple[Attachment, ...]:
    """The PDF of a receipt or refund; nothing as long as it could not be made. ``words`` translates
    the name of the file into the language of the order.
    """
    if document.pdf is None:
        return ()
    number = {"number": document.full_number}
    if document.kind == DocumentKind.REFUND:
        name = _("refund-${number}.pdf", mapping=number)
    else:
        name = _("receipt-${number}.pdf", mapping=number)
    return (Attachment(_translated(name, words), "application/pdf", document.pdf),)


def terms_file(order: Order, words: NullTranslations) -> tuple[Attachment, ...]:
    """The terms and conditions of an order as plain text; nothing when it has none."""
    if not order.terms.strip():
        return ()
    # Text in MIME has lines that end with CRLF (RFC 2046 4.1.1).
    text = "\r\n".join([*order.terms.splitlines(), ""])
    name = _translated(_("terms.txt"), words)
    return (Attachment(name, "text/plain; charset=utf-8", text.encode()),)


def _translated(text: TranslationString, words: NullTranslations) -> str:
    return str(text.interpolate(words.gettext(text)))
