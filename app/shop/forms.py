"""The shop's forms: a product's quantity, and what the buyer enters at the checkout."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from pyramid.request import Request
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Length, ValidationError
from wtforms.widgets import TextInput

from app.accounts.form_fields import AddressField
from app.i18n import formats
from app.mail.addresses import BadAddress, check_text
from app.shop.basket import MAX_QUANTITY
from app.shop.order_numbers import read_order_number
from app.web.forms import Form
from app.web.translation import _

START_NOW = _(
    "Start my download at once. I know that I lose my right of withdrawal when the download begins."
)
"""The words with which the buyer consents and acknowledges (CRD Article 16(m))."""


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


class NameField(StringField):
    """A person's name, as emails show it. ``missing`` is the error message when there is none."""

    def __init__(self, label: str, *, missing: str, **options: Any) -> None:
        validators = [
            DataRequired(missing),
            Length(max=100, message=_("Enter a name of at most 100 characters.")),
            _printable,
        ]
        super().__init__(
            label,
            validators,
            filters=[_tidy_line],
            render_kw={"autocomplete": "name"},
            **options,
        )


class CheckoutForm(Form):
    """The buyer's name, country and address for the receipt, and when the downloads start.

    The hidden fields hold the basket's id, and the fingerprint of what the customer saw.
    """

    basket = HiddenField()
    seen = HiddenField()
    name = NameField(
        _("Full name"), missing=_("Enter your name as it should appear on the receipt.")
    )
    country = SelectField(
        _("Country"), render_kw={"autocomplete": "country"}, validate_choice=False
    )
    address = TextAreaField(
        _("Postal address (optional)"),
        [
            Length(max=400, message=_("Enter an address of at most 400 characters.")),
            _printable,
        ],
        description=_("Only if you want it on the receipt. Street, postcode and town."),
        filters=[_tidy_lines],
        render_kw={"autocomplete": "street-address", "rows": 3},
    )
    start_now = BooleanField(
        START_NOW,
        description=_(
            "Your downloads open when the 14 days in which you can withdraw are over. They open as"
            " soon as you have paid if you agree to this, now or later on the page of your order:"
        ),
    )

    countries: Sequence[str] = ()

    def offer_countries(self, countries: Sequence[str], preferred: Sequence[str]) -> None:
        """Let the buyer choose among ``countries`` (ISO 3166-1 alpha-2). The first of ``preferred``
        that is among them is preselected on a form that was not sent.
        """
        self.countries = countries
        language = self.request.locale_name
        self.country.choices = sorted(
            ((code, formats.country(code, language)) for code in countries),
            key=lambda choice: choice[1],
        )
        if self.country.raw_data is None:
            self.country.data = next((code for code in preferred if code in countries), None)

    def validate_country(self, field: SelectField) -> None:
        """Refuse a country where something in the basket is not sold."""
        if field.data not in self.countries:
            raise ValidationError(_("Choose the country you live in."))


class WithdrawalForm(Form):
    """Who withdraws, and from which order (CRD Article 11a(3))."""

    name = NameField(_("Your name"), missing=_("Enter your name."))
    order = StringField(
        _("Order number"),
        [DataRequired(_("Enter the order number."))],
        description=_("It is in the subject of your receipt, such as 7K3M-9QXW-2TBC."),
        filters=[_tidy_line],
        render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"},
    )
    email = AddressField(_("Email address of the order"))

    def validate_order(self, field: StringField) -> None:
        """Refuse what cannot be an order number."""
        if read_order_number(field.data or "") is None:
            raise ValidationError(
                _("Enter the order number as it is on your receipt: three groups of four.")
            )
