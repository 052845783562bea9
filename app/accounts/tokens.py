"""Tokens: the secrets in emailed links. Each permits one action, once (STANDARDS B2)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Token, TokenKind
from app.mail.outbox.tables import OutboxEmail, State

LIFETIMES = {TokenKind.CONFIRM: timedelta(hours=24), TokenKind.RESET: timedelta(minutes=30)}
RETENTION = timedelta(days=30)
"""How long an expired token is kept, so that its page can say why the link does not work."""


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
    UNKNOWN = auto()


def issue(
    session: Session,
    kind: TokenKind,
    now: datetime,
    *,
    account_id: int | None = None,
    pending_sign_up_id: int | None = None,
) -> NewToken:
    """Store a new token with a secret of 256 random bits.

    A token without an account or a sign-up is expired from the start. Tokens that expired more than
    ``RETENTION`` ago are deleted.
    """
    session.execute(delete(Token).where(Token.expires_at < now - RETENTION))
    secret = secrets.token_urlsafe(32)
    is_for_nobody = account_id is None and pending_sign_up_id is None
    row = Token(
        kind=kind,
        digest=_digest(secret),
        account_id=account_id,
        pending_sign_up_id=pending_sign_up_id,
        created_at=now,
        expires_at=now if is_for_nobody else now + LIFETIMES[kind],
    )
    session.add(row)
    session.flush()
    return NewToken(row, secret)


def look_up(
    session: Session, kind: TokenKind, secret: str, now: datetime
) -> tuple[Token | None, TokenState]:
    """The token with this secret, if any, and its state. Changes nothing."""
    token = session.scalar(select(Token).where(Token.kind == kind, Token.digest == _digest(secret)))
    if token is None:
        return None, TokenState.UNKNOWN
    if token.used_at is not None:
        return token, TokenState.USED
    if token.voided_at is not None:
        return token, TokenState.VOIDED
    return token, TokenState.LIVE if now < token.expires_at else TokenState.EXPIRED


def consume(session: Session, kind: TokenKind, secret: str, now: datetime) -> Token | None:
    """Mark a live token as used. None if it is not live, or another request used it first."""
    return session.scalars(
        update(Token)
        .where(Token.kind == kind, Token.digest == _digest(secret), *_live(now))
        .values(used_at=now)
        .returning(Token)
    ).one_or_none()


def void_older(session: Session, token: Token, email: OutboxEmail, now: datetime) -> None:
    """Void the tokens that ``token`` replaces, if ``email``, which carries it, goes out.

    A throttled email voids nothing. Otherwise a stranger who uses up the limit could leave the
    owner without a working link.
    """
    goes_out = email.state in (State.QUEUED, State.CAPTURED)
    session.execute(
        update(Token)
        .where(
            Token.kind == token.kind,
            Token.account_id == token.account_id,
            Token.pending_sign_up_id == token.pending_sign_up_id,
            Token.id < (token.id if goes_out else 0),
            *_live(now),
        )
        .values(voided_at=now)
    )


def void_all(session: Session, account_id: int, now: datetime) -> None:
    """Void every token of an account, for example when its password changes."""
    session.execute(
        update(Token).where(Token.account_id == account_id, *_live(now)).values(voided_at=now)
    )


def _live(now: datetime) -> list[ColumnElement[bool]]:
    return [Token.used_at.is_(None), Token.voided_at.is_(None), Token.expires_at > now]


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
