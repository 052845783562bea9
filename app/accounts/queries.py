"""Finding accounts."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Account


def account_of(session: Session, address_key: str) -> Account | None:
    """The account with the address of that key (``Address.key``)."""
    return session.scalar(select(Account).where(Account.address_key == address_key))
