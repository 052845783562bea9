"""The base of every form: WTForms on a request, with errors that lead to their fields.

STANDARDS C1 and C2.

A view reads like this; an invalid form answers 422 by itself::

    form = SignUpForm(request)
    if not form.validate():
        return {"form": form}
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import wtforms
from pyramid.request import Request
from wtforms.form import BaseForm


class Problem(NamedTuple):
    """One line of the error summary."""

    field_id: str | None
    label: str
    message: str


class Form(wtforms.Form):
    """A form of the page; it is filled from a POST and empty otherwise.

    Texts are translation strings.
    """

    def __init__(self, request: Request, **initial: Any) -> None:
        """``initial`` are values by field name, for a form that nobody has sent yet."""
        self.request = request
        super().__init__(
            request.POST if request.method == "POST" else None,
            data=initial,
            # For WTForms' own messages, which show where a field of ours has none.
            meta={"locales": [request.locale_name, "en"]},
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether every field is right. If not, the response becomes 422."""
        is_valid: bool = super().validate(extra_validators)
        if not is_valid:
            self.request.response.status_int = 422
        return is_valid

    def refuse(self, field: wtforms.Field, message: str) -> None:
        """Say what is wrong with ``field`` where only the view knows; the response becomes 422."""
        field.errors = [*field.errors, message]
        self.request.response.status_int = 422

    @property
    def problems(self) -> list[Problem]:
        """What the error summary lists, in the order of the fields."""
        lines = [Problem(f.id, f.label.text, f.errors[0]) for f in self if f.errors]
        return lines + [Problem(None, "", message) for message in self.form_errors]


class EmailField(wtforms.EmailField):
    """An address. Pass ``autocomplete="username"`` where it signs somebody in."""

    def __init__(self, label: str, *, autocomplete: str = "email", **options: Any) -> None:
        attributes = {"autocomplete": autocomplete, "spellcheck": "false", "autocapitalize": "none"}
        super().__init__(label, render_kw=attributes, **options)


class PasswordField(wtforms.PasswordField):
    """A password: any length may be pasted, and it is never sent back.

    ``autocomplete`` as in HTML.
    """

    def __init__(self, label: str, *, autocomplete: str, **options: Any) -> None:
        attributes = {"autocomplete": autocomplete, "spellcheck": "false", "autocapitalize": "none"}
        super().__init__(label, render_kw=attributes, **options)


class Choice(NamedTuple):
    """One of the things to choose from."""

    value: str
    label: str
    language: str | None = None
    """Which language the label is in, where that is not the page's own."""


class ChoiceField(wtforms.StringField):
    """One of a few, each with its radio button; ``missing`` says what to do when none was chosen.

    Show it with ``forms.choice(field)``.
    """

    def __init__(
        self, label: str, *, missing: str, choices: Sequence[Choice] = (), **options: Any
    ) -> None:
        super().__init__(label, **options)
        self.missing = missing
        self.choices = choices

    def pre_validate(self, form: BaseForm) -> None:
        """Refuse whatever is not among the choices."""
        if self.data not in [choice.value for choice in self.choices]:
            raise wtforms.ValidationError(self.missing)
