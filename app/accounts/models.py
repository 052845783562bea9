"""The tables of accounts.

Whatever opens something is stored as its SHA-256 only, so that who reads the tables cannot use it
(STANDARDS B2, B4).
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.database import Base
from app.mail import BodyFormat

ADDRESS_LENGTH = 320
"""RFC 5321 4.5.3.1: 64 for the local part, 255 for the domain, and the sign between."""
DIGEST_LENGTH = 32


class Account(Base):
    """A customer who has proved that the address is theirs."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    """Where mail goes: as the customer wrote it, the domain in A-labels."""
    address_key: Mapped[str] = mapped_column(String(ADDRESS_LENGTH), unique=True)
    """What makes two addresses the same (STANDARDS B6)."""
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
    """Somebody asked for an account with an address that nobody has shown to be theirs yet.

    Several of them may wait for one address; each has its own password, and its own token confirms
    it.
    """

    __tablename__ = "pending_sign_up"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    address_key: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    password_hash: Mapped[str] = mapped_column(String(255))
    locale: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(index=True)


class TokenKind(StrEnum):
    """What a token opens."""

    CONFIRM = "confirm"
    RESET = "reset"


class Token(Base):
    """The right to do one thing once, sent by email."""

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
    """When a newer token or a new password took its place."""

    account: Mapped[Account | None] = relationship()
    pending_sign_up: Mapped[PendingSignUp | None] = relationship()


class SignInSession(Base):
    """One browser that is signed in."""

    __tablename__ = "account_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_LENGTH), unique=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    """When the password was last given."""
    last_used_at: Mapped[datetime]
    """To the hour."""

    account: Mapped[Account] = relationship()
