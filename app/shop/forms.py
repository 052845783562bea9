"""The shop's forms: a product's quantity, and the buyer's name and address."""

import re
import unicodedata
from typing import Any

from pyramid.request import Request
from wtforms import Field, HiddenField, IntegerField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, ValidationError
from wtforms.widgets import TextInput

from app.mail.addresses import BadAddress, check_text
from app.shop.basket import MAX_QUANTITY
from app.web.forms import Form
from app.web.translation import _


class QuantityField(IntegerField):
    """A whole number from 1 to ``MAX_QUANTITY``, in ASCII digits."""

    # After an error, <input type=number> would not show the wrong text again.
    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        """Parse the quantity. Raises ``ValueError`` with a message for the customer."""
        typed = valuelist[0].strip() if valuelist else ""
        if not re.fullmatch(r"[0-9]{1,9}", typed) or not 1 <= int(typed) <= MAX_QUANTITY:
            raise ValueError(
                _("Enter a whole number from 1 to ${most}.", mapping={"most": MAX_QUANTITY})
            )
        self.data = int(typed)


class QuantityForm(Form):
    """The quantity of a product. A page may have several, so the ids contain the slug."""

    product = HiddenField()
    quantity = QuantityField(
        _("Quantity"), render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )

    @classmethod
    def showing(cls, request: Request, slug: str, quantity: int) -> "QuantityForm":
        """The form with this product and quantity, regardless of what the request posted."""
        form = cls(request)
        form.process(data={"product": slug, "quantity": quantity})
        # Otherwise the field shows what was typed for another product.
        form.quantity.raw_data = None
        return form

    def process(self, *arguments: Any, **named: Any) -> None:
        """Fill the fields, and give them their ids. WTForms calls this in the constructor too."""
        super().process(*arguments, **named)
        slug = re.sub(r"[^\w-]", "-", self.product.data or "")
        self.product.id, self.quantity.id = f"product-{slug}", f"quantity-{slug}"


def _tidy_line(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFC", text or "").split())


def _tidy_lines(text: str | None) -> str:
    """Tidy every line, and drop empty lines."""
    lines = (_tidy_line(line) for line in (text or "").splitlines())
    return "\n".join(line for line in lines if line)


def _printable(form: Form, field: Field) -> None:
    # The name goes into the To header of the receipt's email. What a header must not contain is
    # refused here, where the customer can correct it.
    for line in field.data.splitlines():
        try:
            check_text(line, field.name)
        except BadAddress as error:
            raise ValidationError(_("Remove “=?” and any invisible characters.")) from error


class CheckoutForm(Form):
    """The buyer's name and address for the receipt.

    The hidden fields hold the basket's id, and the fingerprint of what the customer saw.
    """

    basket = HiddenField()
    seen = HiddenField()
    name = StringField(
        _("Full name"),
        [
            DataRequired(_("Enter your name as it should appear on the receipt.")),
            Length(max=100, message=_("Enter a name of at most 100 characters.")),
            _printable,
        ],
        filters=[_tidy_line],
        render_kw={"autocomplete": "name"},
    )
    address = TextAreaField(
        _("Postal address"),
        [
            DataRequired(_("Enter your postal address.")),
            Length(max=400, message=_("Enter an address of at most 400 characters.")),
            _printable,
        ],
        description=_("As on an envelope: street, postcode and town, country."),
        filters=[_tidy_lines],
        render_kw={"autocomplete": "street-address", "rows": 4},
    )
