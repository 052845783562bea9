"""Tokens: the secrets in emailed links. Each permits one action, once (STANDARDS B2)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from app.accounts.addresses import Address
from app.accounts.models import PendingSignUp, Token, TokenKind
from app.database.housekeeping import delete_rows
from app.mail.outbox import endings

LIFETIMES = {
    TokenKind.CONFIRM: timedelta(hours=24),
    TokenKind.RESET: timedelta(minutes=30),
    TokenKind.EMAIL_CHANGE: timedelta(hours=1),
}
SECRET_OCTETS = 32
SECRET_LENGTH = 43
"""Characters of a secret: 32 octets in base64, without padding."""
_EMAILS = {
    TokenKind.CONFIRM: "confirm_address",
    TokenKind.RESET: "password_reset",
    TokenKind.EMAIL_CHANGE: "email_change",
}
RETENTION = timedelta(days=30)
"""How long a sign-up and an expired token are kept, so that the page of a link can say why it does
not work.
"""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's row, and its secret, which is in the email only."""

    row: Token
    secret: str


class TokenState(Enum):
    """Whether a token can be used, and if not, why."""

    LIVE = auto()
    USED = auto()
    EXPIRED = auto()
    VOIDED = auto()
    WITHDRAWN = auto()
    """Its sign-up was corrected to another address, or was never confirmed and is deleted."""
    UNKNOWN = auto()


def issue(
    session: Session,
    kind: TokenKind,
    now: datetime,
    *,
    account_id: int | None = None,
    pending_sign_up_id: int | None = None,
    new_address: Address | None = None,
) -> NewToken:
    """Store a new token with a secret of 256 random bits. ``new_address`` is what an
    ``EMAIL_CHANGE`` token confirms.

    A token without an account or a sign-up is expired from the start.
    """
    secret = secrets.token_urlsafe(SECRET_OCTETS)
    is_for_nobody = account_id is None and pending_sign_up_id is None
    row = Token(
        kind=kind,
        digest=_digest(secret),
        account_id=account_id,
        pending_sign_up_id=pending_sign_up_id,
        address=new_address.stored if new_address else None,
        address_key=new_address.key if new_address else None,
        created_at=now,
        expires_at=now if is_for_nobody else now + LIFETIMES[kind],
    )
    session.add(row)
    session.flush()
    return NewToken(row, secret)


def look_up(
    session: Session, kind: TokenKind, secret: str, now: datetime
) -> tuple[Token | None, TokenState]:
    """The token with this secret, if any, and its state. Changes nothing.

    What stands behind the secret does not count, because mail programs take a full stop, a bracket
    or a space behind a link for a part of it.
    """
    token = _find(session, kind, secret)
    if token is None:
        return None, TokenState.UNKNOWN
    if token.used_at is not None:
        return token, TokenState.USED
    if token.voided_at is not None:
        return token, TokenState.VOIDED
    if kind is TokenKind.CONFIRM and token.pending_sign_up_id is None:
        return token, TokenState.WITHDRAWN
    return token, TokenState.LIVE if now < token.expires_at else TokenState.EXPIRED


def consume(session: Session, kind: TokenKind, secret: str, now: datetime) -> Token | None:
    """Mark a live token as used, void every other token of its owner, and cancel the emails that
    still wait with their links. None if it is not live, or another request used it, or another of
    the owner's, first.
    """
    token = _find(session, kind, secret)
    if token is None:
        return None
    is_live_and_the_owners = and_(_belongs_to_owner_of(token), _is_live(now))
    # Two requests may use two tokens of one owner at once. Each locks all of them in one order, so
    # the second waits for the first and then finds none live.
    session.execute(
        select(Token.id).where(is_live_and_the_owners).order_by(Token.id).with_for_update()
    )
    used = session.scalars(
        update(Token)
        .where(Token.id == token.id, _is_live(now))
        .values(used_at=now)
        .returning(Token)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if used is not None:
        _void(session, now, is_live_and_the_owners)
    return used


def void_all(session: Session, account_id: int, now: datetime) -> None:
    """Void every live token of an account, and cancel the emails that still wait with their links.

    A changed password and a deletion do this.
    """
    _void(session, now, Token.account_id == account_id)


def void_sign_ups(session: Session, address_key: str, now: datetime) -> None:
    """Void the live tokens of every sign-up with this address, because it has an account now, and
    cancel the emails that still wait with their links.
    """
    sign_ups = select(PendingSignUp.id).where(PendingSignUp.address_key == address_key)
    _void(session, now, Token.pending_sign_up_id.in_(sign_ups))


def withdraw_sign_up(session: Session, sign_up_id: int, now: datetime) -> None:
    """Delete a sign-up and end its live tokens, because its customer corrected the address."""
    # The tokens end first: a request that is confirming one of them now either has used it already
    # or finds that it has ended.
    session.execute(
        update(Token)
        .where(Token.pending_sign_up_id == sign_up_id, _is_live(now))
        .values(expires_at=now)
    )
    session.execute(delete(PendingSignUp).where(PendingSignUp.id == sign_up_id))


def void_other_email_changes(
    session: Session, account_id: int, address_key: str, now: datetime
) -> None:
    """Void the account's live links that confirm another address than ``address_key``, and cancel
    the emails that still wait with them.
    """
    _void(
        session,
        now,
        Token.account_id == account_id,
        Token.kind == TokenKind.EMAIL_CHANGE,
        Token.address_key != address_key,
    )


def requested_email_change(session: Session, account_id: int, now: datetime) -> Token | None:
    """The newest token of the address change that the account waits for, if any."""
    return session.scalar(
        select(Token)
        .where(Token.account_id == account_id, Token.kind == TokenKind.EMAIL_CHANGE, _is_live(now))
        .order_by(Token.id.desc())
        .limit(1)
    )


def email_key(token: Token) -> str:
    """The idempotency key of the email with the token's link."""
    return f"{_EMAILS[TokenKind(token.kind)]}:{token.id}"


def sweep(session: Session, now: datetime, limit: int) -> int:
    """Delete tokens that expired more than ``RETENTION`` ago, for housekeeping."""
    old = select(Token.id).where(Token.expires_at < now - RETENTION).limit(limit)
    return delete_rows(session, Token.id, old)


def sweep_sign_ups(session: Session, now: datetime, limit: int) -> int:
    """Delete sign-ups that were not confirmed within ``RETENTION``, for housekeeping."""
    old = select(PendingSignUp.id).where(PendingSignUp.created_at < now - RETENTION).limit(limit)
    return delete_rows(session, PendingSignUp.id, old)


def _void(session: Session, now: datetime, *conditions: ColumnElement[bool]) -> None:
    voided = session.scalars(
        update(Token).where(*conditions, _is_live(now)).values(voided_at=now).returning(Token)
    ).all()
    endings.cancel(session, [email_key(token) for token in voided], "its link no longer works")


def _find(session: Session, kind: TokenKind, secret: str) -> Token | None:
    # Another request may have changed the row since this session read it.
    return session.scalar(
        select(Token)
        .where(Token.kind == kind, Token.digest == _digest(secret))
        .execution_options(populate_existing=True)
    )


def _belongs_to_owner_of(token: Token) -> ColumnElement[bool]:
    """The tokens of the same account, or of sign-ups with the same address."""
    if token.account_id is not None:
        return Token.account_id == token.account_id
    if token.pending_sign_up is None:
        return Token.id == token.id
    sign_ups = select(PendingSignUp.id).where(
        PendingSignUp.address_key == token.pending_sign_up.address_key
    )
    return Token.pending_sign_up_id.in_(sign_ups)


def _is_live(now: datetime) -> ColumnElement[bool]:
    return and_(Token.used_at.is_(None), Token.voided_at.is_(None), Token.expires_at > now)


def _digest(secret: str) -> bytes:
    return sha256(secret[:SECRET_LENGTH].encode()).digest()
