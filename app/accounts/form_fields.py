"""The form fields that several account forms share: an address, and a new password."""

from collections.abc import Iterable
from typing import Any

from pyramid.request import Request
from wtforms import EmailField
from wtforms.validators import InputRequired, ValidationError

from app.accounts.addresses import Address, UnusableAddress, parse_address
from app.accounts.passwords import password_problem
from app.web.forms import Form, PasswordField
from app.web.translation import _


class AddressField(EmailField):
    """An email address. ``address`` holds it once the field is valid."""

    address: Address

    def __init__(
        self, label: str = _("Email address"), *, autocomplete: str = "email", **options: Any
    ) -> None:
        required = InputRequired(_("Enter your email address."))
        attributes = {"autocomplete": autocomplete, "spellcheck": "false", "autocapitalize": "none"}
        super().__init__(label, [required, self._parse], render_kw=attributes, **options)

    def _parse(self, form: Form, field: "AddressField") -> None:
        try:
            self.address = parse_address(self.data or "")
        except UnusableAddress as error:
            raise ValidationError(
                _("Enter an email address in the format name@example.com.")
            ) from error


class NewPasswordField(PasswordField):
    """A new password, which must be long enough and hard to guess."""

    def __init__(self, label: str, **options: Any) -> None:
        required = InputRequired(_("Choose a password."))
        super().__init__(
            label, autocomplete="new-password", validators=[required, self._check], **options
        )

    def _check(self, form: "NewPasswordForm", field: "NewPasswordField") -> None:
        pillarbox = form.request.registry.pillarbox
        problem = password_problem(
            self.data or "",
            shortest=pillarbox.accounts.password_min_length,
            context=[pillarbox.site.name, *form.context_words()],
        )
        if problem is not None:
            raise ValidationError(problem)


class NewPasswordForm(Form):
    """A form with a ``NewPasswordField`` named ``password``, whose hint states the rule."""

    password: NewPasswordField

    def __init__(self, request: Request, **initial: Any) -> None:
        super().__init__(request, **initial)
        self.password.description = _(
            "Use at least ${count} characters. Three or four random words are easy to remember and"
            " hard to guess.",
            mapping={"count": request.registry.pillarbox.accounts.password_min_length},
        )

    def context_words(self) -> Iterable[str]:
        """Texts about this person that an attacker would guess first."""
        raise NotImplementedError


class CurrentPasswordField(PasswordField):
    """The password that the account has."""

    def __init__(self, label: str = _("Password"), **options: Any) -> None:
        required = InputRequired(_("Enter your password."))
        super().__init__(label, autocomplete="current-password", validators=[required], **options)


class ChoosePasswordForm(NewPasswordForm):
    """A new password for the account with ``address``."""

    password = NewPasswordField(_("New password"))

    def __init__(self, request: Request, address: str) -> None:
        self.address = address
        super().__init__(request)

    def context_words(self) -> Iterable[str]:
        """The account's address."""
        return [self.address]
