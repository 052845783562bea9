"""The base of every form: WTForms filled from a request (STANDARDS C1 and C2).

The error summary links to the wrong fields. An invalid form sets the status 422 itself, so a view
reads like this::

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
    """One line of the error summary. ``field_id`` is None for an error of the whole form."""

    field_id: str | None
    label: str
    message: str


class Form(wtforms.Form):
    """A form, empty unless a POST fills it. Its labels and messages are translation strings."""

    def __init__(self, request: Request, **initial: Any) -> None:
        """``initial`` holds the values that an unsent form shows, by field name."""
        self.request = request
        super().__init__(
            request.POST if request.method == "POST" else None,
            data=initial,
            # For WTForms' own messages, which show where a field of ours has none.
            meta={"locales": [request.locale_name, "en"]},
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether every field is valid. If not, the response's status becomes 422."""
        is_valid: bool = super().validate(extra_validators)
        if not is_valid:
            self.request.response.status_int = 422
        return is_valid

    def refuse(self, field: wtforms.Field, message: str) -> None:
        """Add an error that only the view can find. The response's status becomes 422."""
        field.errors = [*field.errors, message]
        self.request.response.status_int = 422

    @property
    def problems(self) -> list[Problem]:
        """The lines of the error summary, in the order of the fields."""
        problems = [Problem(f.id, f.label.text, f.errors[0]) for f in self if f.errors]
        return problems + [Problem(None, "", message) for message in self.form_errors]


class PasswordField(wtforms.PasswordField):
    """A password, of any length, which no page shows again. ``autocomplete`` as in HTML."""

    def __init__(self, label: str, *, autocomplete: str, **options: Any) -> None:
        attributes = {"autocomplete": autocomplete, "spellcheck": "false", "autocapitalize": "none"}
        super().__init__(label, render_kw=attributes, **options)


class Choice(NamedTuple):
    """One of the values of a ``ChoiceField``."""

    value: str
    label: str
    language: str | None = None
    """The language of the label, where it is not the page's."""


class ChoiceField(wtforms.StringField):
    """One of a few values, each with a radio button. The template shows it with
    ``forms.choice(field)``. ``missing`` is the error message when none was chosen.
    """

    def __init__(
        self, label: str, *, missing: str, choices: Sequence[Choice] = (), **options: Any
    ) -> None:
        super().__init__(label, **options)
        self.missing = missing
        self.choices = choices

    def pre_validate(self, form: BaseForm) -> None:
        """Refuse a value that is not among the choices."""
        if self.data not in [choice.value for choice in self.choices]:
            raise wtforms.ValidationError(self.missing)
