"""What stands on a document's page, as the template gets it: every text is in the language of the
order, and every amount and date is written out.
"""

import re
import unicodedata
from datetime import datetime, tzinfo
from typing import Any

from babel import Locale

from app.i18n import formats
from app.i18n.languages import Languages, direction
from app.shop.documents.content import Correction, DocumentContent, Line
from app.shop.models import DocumentKind

Values = dict[str, Any]

_FROM_THE_RIGHT = frozenset({"R", "AL"})
"""The classes of letters that run from right to left (Unicode Annex 9)."""
_TOO_LONG = re.compile(r"[^\s\u0530-\u1dff\u2e80-\U0010ffff]{28,}")
"""A word that may be wider than its column, in letters that can be separated."""
_MAY_BREAK = "\N{ZERO WIDTH SPACE}"


def page_of(content: DocumentContent, languages: Languages, zone: tzinfo) -> Values:
    """The values for ``templates/documents/document.typ``. ``zone`` decides which day it is."""
    return _Page(content, languages, zone).values()


def _typed(text: str) -> Values:
    """A text that somebody typed, which runs in the direction of its first letter and fits into any
    column.
    """
    letters = (unicodedata.bidirectional(character) for character in text)
    first = next((kind for kind in letters if kind in {"L", *_FROM_THE_RIGHT}), "L")
    return {"text": _TOO_LONG.sub(_broken, text), "is_rtl": first in _FROM_THE_RIGHT}


def _broken(word: re.Match[str]) -> str:
    """The word with a place before each letter where a line may end. It cannot be seen."""
    return "".join(
        letter if unicodedata.combining(letter) else _MAY_BREAK + letter for letter in word.group()
    )


class _Page:
    def __init__(self, content: DocumentContent, languages: Languages, zone: tzinfo) -> None:
        self._content = content
        self._language = languages.nearest(content.locale)
        self._words = languages.translations(self._language)
        self._zone = zone
        self._is_rtl = direction(self._language) == "rtl"
        self._shows_vat = not content.vat_sentence
        self._shows_rates = self._shows_vat and len(content.taxes) > 1

    def gettext(self, text: str, **values: str) -> str:
        return self._words.gettext(text) % values

    def values(self) -> Values:
        content, locale = self._content, Locale.parse(self._language)
        is_refund = content.kind is DocumentKind.REFUND
        gettext = self.gettext
        return {
            "language": locale.language,
            "is_rtl": self._is_rtl,
            # Typst knows countries only. 419 is Latin America.
            "region": locale.territory if (locale.territory or "").isalpha() else None,
            "author": content.seller.name,
            "title": gettext("Refund %(number)s", number=content.number)
            if is_refund
            else gettext("Receipt %(number)s", number=content.number),
            "heading": gettext("Refund") if is_refund else gettext("Receipt"),
            "test": self._test(is_refund) if content.is_test else None,
            "seller": {
                "name": _typed(content.seller.name),
                "lines": self._lines(
                    *content.seller.address,
                    self._country(content.seller.country),
                    content.seller.email,
                    content.seller.phone,
                ),
            },
            "buyer": {
                "label": gettext("Buyer"),
                "lines": self._lines(
                    content.buyer.name,
                    *content.buyer.address,
                    self._country(content.buyer.country),
                ),
            },
            "facts": [[label, _typed(fact)] for label, fact in self._facts(content.correction)],
            "columns": [gettext("Item"), gettext("Amount")],
            "rows": self._rows(content.correction),
            "sums": self._sums() if self._shows_vat else [],
            "total": [gettext("Total"), self._money(content.total)],
            "paid": self._refunded() if is_refund else self._paid(),
            "notes": self._lines(*self._notes(content.correction)),
            "imprint": self._lines(*self._imprint()),
            # The template knows the numbers.
            "pages": gettext("Page %(page)s of %(pages)s", page="{page}", pages="{pages}"),
        }

    def _test(self, is_refund: bool) -> list[str]:
        return [
            self.gettext("Test payment: nothing was charged."),
            self.gettext("This refund is an example.")
            if is_refund
            else self.gettext("This receipt is an example."),
        ]

    def _facts(self, correction: Correction | None) -> list[list[str]]:
        content, gettext = self._content, self.gettext
        number = gettext("Refund") if correction else gettext("Receipt")
        facts = [[number, content.number], [gettext("Issued on"), self._date(content.issued_at)]]
        if correction and correction.receipt_number and correction.receipt_issued_at:
            receipt = gettext(
                "%(number)s of %(date)s",
                number=correction.receipt_number,
                date=self._date(correction.receipt_issued_at),
            )
            facts.append([gettext("Corrects receipt"), receipt])
        facts.append([gettext("Order"), content.order_number])
        facts.append([gettext("Ordered on"), self._date(content.ordered_at)])
        if content.total and not correction:
            label = (
                gettext("On your card statement")
                if content.card_last4 or content.is_test
                else gettext("On your statement")
            )
            nothing = gettext("Nothing, because this was a test payment")
            shown = nothing if content.is_test else content.statement_name
            facts.extend([[label, shown]] if shown else [])
        return facts

    def _rows(self, correction: Correction | None) -> list[Values]:
        content = self._content
        if content.lines or correction is None:
            return [self._row(line) for line in content.lines]
        number = content.order_number
        if correction.receipt_number:
            what = self.gettext("Part of order %(number)s", number=number)
        else:
            what = self.gettext("Payment for order %(number)s", number=number)
        return [{"name": _typed(what), "detail": None, "amount": self._money(content.total)}]

    def _row(self, line: Line) -> Values:
        price = self._money(line.unit_price)
        details = [
            self._isolated(line.format),
            self.gettext("%(quantity)s × %(price)s", quantity=str(line.quantity), price=price),
        ]
        if self._shows_rates:
            rate = formats.percent(line.vat_rate, self._language)
            details.append(self.gettext("VAT %(rate)s", rate=rate))
        return {
            "name": _typed(line.name),
            "detail": " · ".join(detail for detail in details if detail),
            "amount": self._money(line.total),
        }

    def _sums(self) -> list[list[str]]:
        if not self._content.taxes:
            return []
        rates = [
            [
                self.gettext(
                    "VAT %(rate)s on %(net)s",
                    rate=formats.percent(tax.rate, self._language),
                    net=self._money(tax.net),
                ),
                self._money(tax.vat),
            ]
            for tax in self._content.taxes
        ]
        return [[self.gettext("Net"), self._money(self._content.net)], *rates]

    def _paid(self) -> str:
        content, gettext = self._content, self.gettext
        date, brand = self._date(content.issued_at), content.card_brand
        if not content.total:
            return gettext("There was nothing to pay.")
        if brand and content.card_last4:
            return gettext(
                "Paid on %(date)s with %(brand)s ending in %(last4)s",
                date=date,
                brand=brand,
                last4=content.card_last4,
            )
        if brand:
            return gettext("Paid on %(date)s with %(brand)s", date=date, brand=brand)
        return gettext("Paid on %(date)s", date=date)

    def _refunded(self) -> str:
        content, gettext = self._content, self.gettext
        date = self._date(content.issued_at)
        if content.card_brand and content.card_last4:
            return gettext(
                "Refunded on %(date)s to %(brand)s ending in %(last4)s",
                date=date,
                brand=content.card_brand,
                last4=content.card_last4,
            )
        return gettext("Refunded on %(date)s in the way you paid", date=date)

    def _notes(self, correction: Correction | None) -> list[str]:
        content, gettext = self._content, self.gettext
        notes = [content.vat_sentence]
        if correction and not correction.receipt_number:
            notes.append(
                gettext("No receipt was issued for this payment, so it contains no VAT.")
                if self._shows_vat
                else ""
            )
        if correction and correction.reason:
            notes.append(f"{gettext('The reason:')} {self._isolated(correction.reason)}")
        if content.withdraw_until:
            notes.append(
                gettext(
                    "You can withdraw from this contract until %(date)s, without giving a reason."
                    " For a file whose download has begun at your wish, the right has ended.",
                    date=self._date(content.withdraw_until),
                )
            )
        notes.append(
            gettext(
                "Is something wrong? Write to %(address)s and state the order number, and we will"
                " help you.",
                address=content.seller.email,
            )
        )
        return notes

    def _imprint(self) -> list[str]:
        seller = self._content.seller
        vat_id = self.gettext("VAT ID %(number)s", number=seller.vat_id) if seller.vat_id else ""
        return [seller.name, seller.register, vat_id]

    def _lines(self, *lines: str) -> list[Values]:
        return [_typed(line) for line in lines if line]

    def _isolated(self, text: str) -> str:
        """The text for a line of ours. Letters that run in the other direction change the order of
        nothing around them.
        """
        others = {"L"} if self._is_rtl else _FROM_THE_RIGHT
        if others.isdisjoint(unicodedata.bidirectional(character) for character in text):
            return text
        return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"

    def _money(self, minor: int) -> str:
        return self._isolated(formats.money(minor, self._content.currency, self._language))

    def _date(self, value: datetime) -> str:
        return formats.date(value, self._language, self._zone)

    def _country(self, code: str) -> str:
        return formats.country(code, self._language)
