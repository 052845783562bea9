"""Every page of the shop and every state with an error: how to get there, and the heading that it
must have. A new page needs one line in ``PAGES``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import OperationalError

from app.accounts import rate_limits
from app.accounts.models import TokenKind
from app.shop.models import Payment
from tests.support.accounts import PASSWORD
from tests.support.page_states import (
    Act,
    Prepare,
    a_letter,
    both,
    changed,
    code_missing,
    customer,
    failing,
    filled,
    link,
    mailbox,
    own_sign_up,
    pressed,
    prove_app,
    reached,
    setting_up,
    staff,
    staff_log,
    taken_meanwhile,
    too_large,
    two_devices,
    with_emails,
    with_factor,
    wrong_too_often,
)
from tests.support.shop_states import (
    buying,
    checkout_closed,
    gone_from_the_basket,
    not_sold_any_more,
    ordered,
    receipt_again,
    stated_too_often,
    stating,
    tab_closed,
    waiting_for_provider,
    with_orders,
    with_payment,
    withdrawing,
    withdrawn,
    without_older_orders,
)
from tests.support.suppression_states import came_back, suppressed
from tests.support.visit import Visit

ADDRESS, NEW_PASSWORD = "somebody@example.org", "an even lovelier passphrase"
WRONG = filled(password="not the right one")
SHORT = filled(password="short")
SENT_AGAIN = pressed("main form button", 4)
UNCHECKED = changed("[type=radio]", "e.checked = false")
CONFIRM, RESET, CHANGE = TokenKind.CONFIRM, TokenKind.RESET, TokenKind.EMAIL_CHANGE
HOUR = timedelta(hours=1)
SIGN_UP = filled(email=ADDRESS, password=PASSWORD)
CONFIRM_PAGE, INBOX = "Confirm your email address", "Check your inbox"
FORGOT, CHOOSE = "Forgot your password?", "Choose a new password"
SEAL, SEALING_WAX = "Fox seals to cut out", "/products/sealing-wax"
BUYER = filled(name="Ada Lovelace", address="12 St James's Square\nLondon")
OLDER_BASKET = changed("[name=seen]", "e.value = 'older'", "h1")
WRONG_SIGN_IN = filled(email=ADDRESS, password="not the right one")
WRONG_CODE = filled(code="not a code")
SECOND_STEP = "Second step at sign-in"
UNREACHABLE = OperationalError("SELECT 1", None, Exception("connection refused"))


Line = tuple[Any, ...]
"""The fields of a ``PageOrState``, in their order."""


@dataclass(frozen=True)
class PageOrState:
    """``heading`` is the English text as the source has it: with ``%(name)s``, or with ``${name}``
    when Python has it. ``route`` is None for a page that belongs to no route.
    """

    name: str
    route: str | None
    heading: str
    path: str | Prepare
    act: Act | None = None
    status: int = 200

    def open(self, visit: Visit) -> None:
        """Bring the visit's page into this state."""
        visit.open(self.path if isinstance(self.path, str) else self.path(visit))
        if self.act is not None:
            self.act(visit.page)


def unusable(
    name: str, route: str, path: str, kind: TokenKind, used: str | None = None
) -> Iterator[Line]:
    """The pages of links that do not work. ``used`` is the heading when the link was used, or
    another one in its place, where it is of its own.
    """
    states = (
        ("used", used or "This link has already been used", {"used_at": -1}),
        ("void", used or "This link no longer works", {"voided_at": -1}),
        ("expired", "This link has expired", {"expires_at": -1}),
    )
    for state, heading, hours in states:
        yield f"{name}, {state} link", route, heading, link(path, kind, **hours), None, 410
    yield f"{name}, unknown link", route, "This link does not work", f"{path}/nothing", None, 404


# fmt: off
_LINES: list[Line] = [
    # The shop
    ("catalogue", "home", "Products", "/"),
    ("product", "product", SEAL, SEALING_WAX),
    ("product in the basket", "product", SEAL, buying(SEALING_WAX, "sealing-wax")),
    ("product, error", "basket", SEAL, SEALING_WAX, filled(quantity="some"), 422),
    ("product not sold any more", "product", "Twelve postcards of doors", not_sold_any_more),
    ("basket, empty", "basket", "Your basket", "/basket"),
    ("basket", "basket", "Your basket", buying("/basket", "sealing-wax", "desk-postbox")),
    ("basket, error", "basket", "Your basket", buying("/basket", "sealing-wax"), filled(quantity="0"), 422),
    ("basket with what is not sold any more", "basket", "Your basket", gone_from_the_basket),
    ("checkout", "checkout", "Checkout", buying("/checkout", "sealing-wax", "letters-to-nobody")),
    ("checkout, errors", "checkout", "Checkout", buying("/checkout", "envelopes"), filled(name="", address=""), 422),
    ("checkout, another price", "checkout", "Checkout", buying("/checkout", "envelopes"), both(OLDER_BASKET, BUYER), 422),
    ("checkout closed", "checkout", "The checkout is closed", checkout_closed, None, 503),
    ("test payment", "test_payment", "Test payment: nothing is charged", buying("/checkout", "envelopes"), BUYER),
    ("test payment, declined", "test_payment", "Test payment: nothing is charged", buying("/checkout", "envelopes"), both(BUYER, pressed("form:has([value=decline]) button")), 422),
    ("test payment, tab closed", "test_payment", "Test payment: nothing is charged", tab_closed),
    ("orders, no older ones", "orders", "Your orders", without_older_orders),
    ("orders, none", "orders", "Your orders", customer("/orders")),
    ("orders", "orders", "Your orders", with_orders),
    ("order, not paid", "order", "Order %(number)s", ordered()),
    ("order, payment under way", "order", "Order %(number)s", ordered(1)),
    ("order, payment failed", "order", "Order %(number)s", ordered(2)),
    ("order", "order", "Order %(number)s", ordered(0)),
    ("order, receipt again", "order", "Order %(number)s", receipt_again),
    ("order, payment awaited", "order", "Order %(number)s", waiting_for_provider),
    ("order, payment held", "order", "Order %(number)s", with_payment(state="held")),
    ("order, held payment given back", "order", "Order %(number)s", with_payment(state="held", refunded=Payment.amount)),
    ("order, time to pay has passed", "order", "Order %(number)s", with_payment(state="expired")),
    ("order, withdrawn", "order", "Order %(number)s", withdrawn()),
    ("order, withdrawn in part", "order", "Order %(number)s", withdrawn(keeps_one=True)),
    ("order, withdrawn before paying", "order", "Order %(number)s", withdrawn(None)),
    ("withdraw", "withdraw", "Withdraw from contract", "/withdraw"),
    ("withdraw from an own order", "withdraw", "Withdraw from contract", withdrawing),
    ("withdraw, errors", "withdraw", "Withdraw from contract", "/withdraw", filled(name="", order="7K3M", email="ada@"), 422),
    ("withdraw, statement", "confirm_withdrawal", "Your withdrawal", stating()),
    ("withdraw, statement about an unknown order", "confirm_withdrawal", "Your withdrawal", stating(is_unknown=True)),
    ("withdraw, nothing chosen", "confirm_withdrawal", "Your withdrawal", stating(), changed("[type=checkbox]", "e.checked = false"), 422),
    ("withdraw, received", "withdrawal_received", "We have received your withdrawal", stating(is_made=True)),
    ("withdraw, limit", "confirm_withdrawal", "Too many attempts", stated_too_often, pressed("main form button"), 429),
    # Sign-up and sign-in
    ("sign-up", "sign_up", "Create an account", "/sign-up"),
    ("sign-up, errors", "sign_up", "Create an account", "/sign-up", filled(email="ada@", password="short"), 422),
    ("sign-up, empty", "sign_up", "Create an account", "/sign-up", filled(email="", password=""), 422),
    ("sign-up, sent", "sign_up_sent", INBOX, "/sign-up", SIGN_UP),
    ("sign-up, sent too often", "sign_up_sent", INBOX, "/sign-up", both(SIGN_UP, SENT_AGAIN), 429),
    ("sign-up, limit", "sign_up", "Too many attempts", reached(rate_limits.SIGN_UPS, "/sign-up"), SIGN_UP, 429),
    ("confirm", "confirm", CONFIRM_PAGE, own_sign_up),
    ("confirm elsewhere", "confirm", CONFIRM_PAGE, link("/confirm", CONFIRM)),
    ("confirm elsewhere, error", "confirm", CONFIRM_PAGE, link("/confirm", CONFIRM), WRONG, 422),
    *unusable("confirm", "confirm", "/confirm", CONFIRM, "This address is already confirmed"),
    ("sign-in", "sign_in", "Sign in", "/sign-in"),
    ("sign-in before a page", "sign_in", "Sign in", "/orders"),
    ("sign-in, errors", "sign_in", "Sign in", "/sign-in", WRONG_SIGN_IN, 422),
    ("sign-in, empty", "sign_in", "Sign in", "/sign-in", filled(email="", password=""), 422),
    ("sign-in, code", "sign_in_code", "Enter your code", code_missing),
    ("sign-in, wrong code", "sign_in_code", "Enter your code", code_missing, WRONG_CODE, 422),
    ("sign-in, wrong too often", "sign_in", "Too many attempts", wrong_too_often, filled(email="guessed@example.org", password=PASSWORD), 429),
    ("sign-in, limit", "sign_in", "Too many attempts", reached(rate_limits.SIGN_INS, "/sign-in"), WRONG_SIGN_IN, 429),
    ("forgot password", "forgot_password", FORGOT, "/forgot-password"),
    ("forgot password, error", "forgot_password", FORGOT, "/forgot-password", filled(email="ada"), 422),
    ("forgot password, sent", "forgot_password_sent", INBOX, "/forgot-password", filled(email=ADDRESS)),
    ("forgot password, sent too often", "forgot_password_sent", INBOX, "/forgot-password", both(filled(email=ADDRESS), SENT_AGAIN), 429),
    ("reset", "reset_password", CHOOSE, link("/reset-password", RESET)),
    ("reset, error", "reset_password", CHOOSE, link("/reset-password", RESET), SHORT, 422),
    ("reset, done", "sign_in", "Sign in", link("/reset-password", RESET), filled(password=NEW_PASSWORD)),
    *unusable("reset", "reset_password", "/reset-password", RESET),
    # The account
    ("account", "account", "Your account", customer("/account")),
    ("account, an email came back", "account", "Your account", came_back("/account")),
    ("account, a mailbox is full", "account", "Your account", came_back("/account", "5.2.2")),
    ("emails, tried again", "account_emails", "Emails we sent you", came_back("/account"), pressed(".unreachable button")),
    ("emails, tried again too early", "try_address_again", "Too many attempts", came_back("/account", is_used_up=True), pressed(".unreachable button"), 429),
    ("new address, an email came back", "email_change", "Change your email address", came_back("/account/email")),
    ("preferences", "preferences", "Your preferences", customer("/account/preferences")),
    ("preferences, errors", "preferences", "Your preferences", customer("/account/preferences"), UNCHECKED, 422),
    ("password again", "reauthenticate", "Confirm your password", customer("/account/email", ago=HOUR)),
    ("password again, error", "reauthenticate", "Confirm your password", customer("/account/email", ago=HOUR), WRONG, 422),
    ("new address", "email_change", "Change your email address", customer("/account/email")),
    ("new address, error", "email_change", "Change your email address", customer("/account/email"), filled(new_email="ada"), 422),
    ("new address, sent", "email_change_sent", INBOX, customer("/account/email"), filled(new_email=ADDRESS)),
    ("new address, sent too often", "email_change_sent", INBOX, customer("/account/email"), both(filled(new_email=ADDRESS), SENT_AGAIN), 429),
    ("new address, taken meanwhile", "confirm_email_change", "This address has an account already", taken_meanwhile, None, 410),
    ("confirm new address", "confirm_email_change", "Confirm your new email address", link("/account/email", CHANGE)),
    *unusable("new address", "confirm_email_change", "/account/email", CHANGE),
    ("new password", "password_change", "Change your password", customer("/account/password")),
    ("new password, errors", "password_change", "Change your password", customer("/account/password"), filled(current_password="", password="short"), 422),
    ("devices", "sessions", "Devices and activity", customer("/account/sessions")),
    ("devices, two", "sessions", "Devices and activity", two_devices),
    ("emails, none", "account_emails", "Emails we sent you", customer("/account/emails")),
    ("emails", "account_emails", "Emails we sent you", with_emails),
    ("second factor, off", "second_factor", SECOND_STEP, customer("/account/second-factor")),
    ("second factor, set-up", "second_factor", SECOND_STEP, setting_up),
    ("second factor, wrong code", "second_factor", SECOND_STEP, setting_up, WRONG_CODE, 422),
    ("second factor, turned on", "second_factor", "Your recovery codes", setting_up, prove_app),
    ("second factor, on", "second_factor", SECOND_STEP, with_factor("/account/second-factor")),
    ("second factor, broken", "second_factor", SECOND_STEP, with_factor("/account/second-factor", is_broken=True)),
    ("second factor, turn off", "second_factor_off", "Turn the second step off", with_factor("/account/second-factor/turn-off")),
    ("second factor, turn off, error", "second_factor_off", "Turn the second step off", with_factor("/account/second-factor/turn-off"), WRONG_CODE, 422),
    ("new recovery codes", "recovery_codes", "New recovery codes", with_factor("/account/second-factor/recovery-codes")),
    ("export", "export", "Download your data", customer("/account/export")),
    ("delete", "delete_account", "Delete your account", customer("/account/delete")),
    ("delete, error", "delete_account", "Delete your account", customer("/account/delete"), WRONG, 422),
    # Staff
    ("staff", "staff", "Find a customer", staff("/staff")),
    ("staff, emails of the last day", "staff", "Find a customer", staff_log("/staff")),
    ("staff, error", "staff", "Find a customer", staff("/staff"), filled(email="nobody@example.org"), 422),
    ("staff, a customer", "staff_account", "Account of a customer", staff("/staff/accounts/{customer}")),
    ("staff, no such customer", "staff_account", "Page not found", staff("/staff/accounts/999999999"), None, 404),
    ("emails, none", "staff_emails", "Emails", staff_log("/staff/emails?kind=nothing")),
    ("emails", "staff_emails", "Emails", staff_log("/staff/emails")),
    ("emails, error", "staff_emails", "Emails", staff_log("/staff/emails"), filled(find="nobody@example.org", reason="@"), 422),
    ("email, failed", "staff_email", "Email %(id)s", staff_log("/staff/emails/{failed}")),
    ("email with its content", "staff_email", "Email %(id)s", staff_log("/staff/emails/{receipt}"), pressed("details summary")),
    ("staff, no such email", "staff_email", "Page not found", staff("/staff/emails/999999999"), None, 404),
    ("suppressions, all", "staff_suppressions", "Suppressed addresses", staff("/staff/suppressions")),
    ("suppressions", "staff_suppressions", "Suppressed addresses", suppressed()),
    ("suppressions, lifted", "staff_suppressions", "Suppressed addresses", suppressed(is_lifted=True)),
    ("suppressions, error", "staff_suppressions", "Suppressed addresses", staff("/staff/suppressions"), filled(email="nobody@example.org"), 422),
    ("staff, all emails", "staff_many_emails", "Send emails again", staff_log("/staff/emails/all/resend?kind=password_reset")),
    ("staff, all emails, done", "staff_many_emails", "Send emails again", staff_log("/staff/emails/all/resend?kind=test_message"), pressed("main form button")),
    ("staff, all emails, refused", "staff_many_emails", "Cancel emails", staff_log("/staff/emails/all/cancel?kind=password_reset"), pressed("main form button")),
    ("staff, all emails, none", "staff_many_emails", "Cancel emails", staff("/staff/emails/all/cancel?kind=nothing")),
    ("staff, actions", "staff_actions", "What staff did", staff("/staff/actions")),
    # Errors
    ("no such page", None, "Page not found", "/no-such-page", None, 404),
    ("no such product", "product", "Page not found", "/products/nothing", None, 404),
    ("no such order", "order", "Page not found", customer("/orders/nothing"), None, 404),
    ("only for a button", "sign_out", "This address belongs to a button or a form", "/sign-out", None, 405),
    ("not to be read", None, "We could not process your request", "/%FF", None, 400),
    ("form expired", "sign_in", "This form has expired", "/sign-in", changed("[name=csrf_token]", "e.value = 'older'"), 400),
    ("too large", "basket", "Your request is too large", too_large, filled(quantity="1"), 413),
    ("failure", "home", "Something went wrong on our side", failing(ZeroDivisionError()), None, 500),
    ("database away", "home", "The shop is briefly unavailable", failing(UNREACHABLE), None, 503),
    # The owner's pages and the developers'
    ("imprint", "owner_page", "Imprint", "/pages/imprint"),
    ("mailbox", "mailbox", "Mailbox", mailbox),
    ("mailbox, nothing found", "mailbox", "Mailbox", "/dev/mailbox?to=nobody&refresh=60"),
    ("email", "mailbox_email", CONFIRM_PAGE, a_letter),
    ("no such email", "mailbox_email", "Page not found", "/dev/mailbox/999999", None, 404),
    ("previews", "previews", "Previews", "/dev/emails"),
    ("preview", "preview", "Receipt for order 7K3M-9QXW-2TBC", "/dev/emails/purchase_receipt?sample=hostile&width=all", pressed("details summary")),
]
# fmt: on
PAGES = [PageOrState(*line) for line in _LINES]

NOT_PAGES = {
    "mailbox_json": "JSON for tests",
    "mailbox_new": "JSON for the mailbox's script",
    "mailbox_source": "a file",
    "mailbox_html": "an email",
    "mailbox_attachment": "a file",
    "staff_email_html": "an email",
    "preview_source": "a file",
    "preview_html": "an email",
    "preview_attachment": "a file",
    "second_factor_qr": "a picture",
    "picture": "a picture",
    "receipt_pdf": "a file",
    "refund_pdf": "a file",
    "robots": "for search engines",
    "healthz": "for supervisors",
    "readyz": "for supervisors",
    "metrics": "for Prometheus",
    "__static/": "files",
}
"""Routes whose answers are not pages, and what they are."""
