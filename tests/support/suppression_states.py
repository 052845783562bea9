"""How to get to the pages of customers whom no email reaches, and of suppressed addresses."""

from sqlalchemy import select

from app.accounts import rate_limits
from app.mail import addresses
from app.mail.events import suppression
from app.mail.events.hearing import Heard, hear
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import OutboxEmail
from tests.support import accounts
from tests.support.browser import another_browser
from tests.support.page_states import Prepare, staff
from tests.support.shop_states import LONG_NAME
from tests.support.visit import Visit


def came_back(path: str, code: str = "5.1.1", *, is_used_up: bool = False) -> Prepare:
    """The path, for a customer whose last email came back. Its code decides whether nothing more is
    sent. ``is_used_up``: no other try is possible today.
    """

    def prepare(visit: Visit) -> str:
        account_id = visit.sign_in()
        _bounce(visit, code)
        if is_used_up:
            visit.use_up(rate_limits.TRY_AGAIN, str(account_id))
        return path

    return prepare


def suppressed(*, is_lifted: bool = False) -> Prepare:
    """Staff's page of suppressed addresses, with the address of an email. The suppression has been
    lifted, or two addresses are suppressed.
    """

    def prepare(visit: Visit) -> str:
        email_id, own = 0, visit.address
        for name in ("Ada", LONG_NAME.rpartition(" ")[2]):
            visit.address = f"{name}.{own}"
            visit.sign_in()
            email_id = _bounce(visit, "5.1.1")
            stranger = another_browser(visit.app)
            accounts.forgot_password(stranger, visit.address)
            accounts.sign_up(stranger, visit.address)
        if is_lifted:
            with visit.registry.database.transaction(write=True) as session:
                suppression.lift_address(session, visit.address)
        visit.address = own
        return staff(f"/staff/suppressions?email={email_id}")(visit)

    return prepare


def _bounce(visit: Visit, code: str) -> int:
    """The customer's newest email has come back. Returns its id."""
    accounts.forgot_password(visit.browser, visit.address)
    registry = visit.registry
    with registry.database.transaction(write=True) as session:
        key = addresses.key_of(visit.address)
        mine = select(OutboxEmail.id).where(OutboxEmail.recipient_key == key)
        email_id = session.scalars(mine.order_by(OutboxEmail.id.desc()).limit(1)).one()
        heard = Heard(Event.BOUNCED, "1", registry.email_tags.of(email_id), code=code)
        hear(
            session,
            "postmark",
            [heard],
            tags=registry.email_tags,
            kinds=registry.email_kinds,
            now=visit.now,
        )
    return email_id
