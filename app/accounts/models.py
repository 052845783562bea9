"""The tables of accounts.

Secrets of links and sessions are stored only as SHA-256 digests, so that somebody who can read the
tables cannot use them (STANDARDS B2, B4).
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, false, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.database.base import Base
from app.mail import BodyFormat

ADDRESS_LENGTH = 320
"""RFC 5321 4.5.3.1: 64 for the local part, 255 for the domain, and the @ between them."""
DIGEST_LENGTH = 32
"""Octets of a SHA-256 digest."""


class Account(Base):
    """A customer who has confirmed their email address."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    """Where email goes: ``Address.stored``."""
    address_key: Mapped[str] = mapped_column(String(ADDRESS_LENGTH), unique=True)
    """``Address.key``, which is equal for two spellings of one address (STANDARDS B6)."""
    password_hash: Mapped[str] = mapped_column(String(255))
    locale: Mapped[str] = mapped_column(String(20))
    body_format: Mapped[str] = mapped_column(String(8), default=BodyFormat.BOTH)
    is_staff: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    @classmethod
    def find(cls, session: Session, address_key: str) -> "Account | None":
        """The account whose address has this key (``Address.key``)."""
        return session.scalar(select(cls).where(cls.address_key == address_key))


class PendingSignUp(Base):
    """A sign-up whose address is not confirmed yet.

    One address may have several, since anybody can type it. Each has its own password and token.
    """

    __tablename__ = "pending_sign_up"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    address_key: Mapped[str] = mapped_column(String(ADDRESS_LENGTH), index=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    locale: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(index=True)


class TokenKind(StrEnum):
    """What a token permits."""

    CONFIRM = "confirm"
    RESET = "reset"
    EMAIL_CHANGE = "email_change"


class Token(Base):
    """The permission to do one thing once, sent as a link in an email."""

    __tablename__ = "account_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    digest: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_LENGTH), unique=True)
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    pending_sign_up_id: Mapped[int | None] = mapped_column(
        ForeignKey("pending_sign_up.id", ondelete="SET NULL"), index=True
    )
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]
    """When another token of the same owner was used."""
    address: Mapped[str | None] = mapped_column(String(ADDRESS_LENGTH))
    """The new address that an ``EMAIL_CHANGE`` token confirms. None for the other kinds."""
    address_key: Mapped[str | None] = mapped_column(String(ADDRESS_LENGTH))

    account: Mapped[Account | None] = relationship()
    pending_sign_up: Mapped[PendingSignUp | None] = relationship()


class SignInSession(Base):
    """One signed-in browser."""

    __tablename__ = "account_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_LENGTH), unique=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    """When the customer last entered the password."""
    last_used_at: Mapped[datetime]
    """Updated at most once an hour, and for staff every five minutes."""
    awaits_code: Mapped[bool] = mapped_column(default=False, server_default=false())
    """The password was right, but the code of the second factor is missing. Until it arrives,
    nobody is signed in.
    """
    second_factor_at: Mapped[datetime | None]
    """When the customer proved the second factor in this session."""
    browser: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))
    """The browser's name, such as ``Firefox``, read from the user agent; ``""`` when unknown."""
    system: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))
    """The name of the browser's operating system, such as ``Android``; ``""`` when unknown."""

    account: Mapped[Account] = relationship()


class SecondFactor(Base):
    """An authenticator app (RFC 6238). Its key is derived from the setting ``secret`` and
    ``nonce``, so whoever steals the database does not have it.
    """

    __tablename__ = "second_factor"

    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    nonce: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_LENGTH))
    key_check: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_LENGTH))
    """A digest of the key. It tells a changed ``secret`` from a wrong code."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """When the customer proved the app with a code. Until then sign-in asks for none."""
    last_step: Mapped[int] = mapped_column(default=0)
    """The time step of the last accepted code. No code of this step or an earlier one is accepted.
    """


class RecoveryCode(Base):
    """A code that works once in place of the authenticator app. Using it deletes the row."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    digest: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_LENGTH), unique=True)


class AccountEvent(Base):
    """One thing that happened to an account (``app.accounts.events``). It holds no address, and
    nothing about the network.
    """

    __tablename__ = "account_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    """None when there is no such account, or when it was deleted."""
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    """The member of staff who did it, if it was not the owner."""
    at: Mapped[datetime] = mapped_column(index=True)
    request_id: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(40))

    __table_args__ = (Index("ix_account_event_account_id", "account_id", "id"),)
