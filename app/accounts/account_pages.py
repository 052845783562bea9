"""The account's page, and the preferences: language, and format of emails (STANDARDS A13, A16)."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import update

from app.accounts.events import EventKind, record
from app.accounts.models import Account
from app.accounts.permissions import SIGNED_IN
from app.i18n.languages import own_name
from app.mail import BodyFormat
from app.web.forms import Choice, ChoiceField, Form
from app.web.language import localizer
from app.web.translation import _

FORM = "accounts/preferences.jinja2"


class PreferencesForm(Form):
    """``language`` of pages and emails, and ``body_format`` of emails."""

    language = ChoiceField(
        _("Language"), missing=_("Choose a language."), description=_("For our pages and emails.")
    )
    body_format = ChoiceField(
        _("Email format"),
        missing=_("Choose an email format."),
        description=_(
            "HTML emails have a layout and buttons. If you choose both, your email program shows"
            " the version that suits it best."
        ),
        choices=[
            Choice(BodyFormat.BOTH, _("HTML and plain text")),
            Choice(BodyFormat.HTML, _("HTML only")),
            Choice(BodyFormat.TEXT, _("Plain text only")),
        ],
    )

    def __init__(self, request: Request, **initial: Any) -> None:
        super().__init__(request, **initial)
        self.language.choices = [
            Choice(name, own_name(name), language=name) for name in request.registry.languages.names
        ]


@view_config(
    route_name="account",
    request_method="GET",
    renderer="accounts/account.jinja2",
    permission=SIGNED_IN,
)
def account(request: Request) -> Any:
    """Show the account's address and age, and links to what the customer can do."""
    return {"account": request.account}


@view_config(route_name="preferences", request_method="GET", permission=SIGNED_IN, renderer=FORM)
def preferences_form(request: Request) -> Any:
    """Show the form with the current preferences."""
    form = PreferencesForm(
        request, language=request.locale_name, body_format=request.account.body_format
    )
    return {"form": form}


@view_config(route_name="preferences", request_method="POST", permission=SIGNED_IN, renderer=FORM)
def preferences(request: Request) -> Any:
    """Save the preferences, and say so in the new language."""
    form = PreferencesForm(request)
    if not form.validate():
        return {"form": form}
    language = form.language.data or ""
    request.dbsession.execute(
        update(Account)
        .where(Account.id == request.account.id)
        .values(locale=language, body_format=form.body_format.data)
    )
    record(request.dbsession, request, EventKind.PREFERENCES, request.account.id)
    saved = localizer(request, language).translate(_("Your preferences have been saved."))
    request.visitor.tell(saved)
    return HTTPSeeOther(request.route_path("account"))
