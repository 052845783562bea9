"""Tokens: the links in emails that open something, each good for one act, once (STANDARDS B2)."""

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
"""How long a dead link can still say what happened to it."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's row, and its secret, which only the email carries."""

    row: Token
    secret: str


class TokenState(Enum):
    """What a link can do for whoever follows it."""

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
    """Write a new token of 256 random bits. One for nobody has expired from the start.

    Tokens that ended long ago are forgotten on the way.
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
    """A token and what has become of it. It is not touched: mail scanners follow links."""
    token = session.scalar(select(Token).where(Token.kind == kind, Token.digest == _digest(secret)))
    if token is None:
        return None, TokenState.UNKNOWN
    if token.used_at is not None:
        return token, TokenState.USED
    if token.voided_at is not None:
        return token, TokenState.VOIDED
    return token, TokenState.LIVE if now < token.expires_at else TokenState.EXPIRED


def consume(session: Session, kind: TokenKind, secret: str, now: datetime) -> Token | None:
    """Use a live token up; None when it is not live, or when somebody else was quicker."""
    return session.scalars(
        update(Token)
        .where(Token.kind == kind, Token.digest == _digest(secret), *_live(now))
        .values(used_at=now)
        .returning(Token)
    ).one_or_none()


def void_older(session: Session, token: Token, email: OutboxEmail, now: datetime) -> None:
    """Void the tokens that ``token`` replaces, if its own email goes out.

    One that is held back voids nothing, so a stranger who asks too often cannot lock the owner out.
    """
    if email.state not in (State.QUEUED, State.CAPTURED):
        return
    session.execute(
        update(Token)
        .where(
            Token.kind == token.kind,
            Token.account_id == token.account_id,
            Token.pending_sign_up_id == token.pending_sign_up_id,
            Token.id < token.id,
            *_live(now),
        )
        .values(voided_at=now)
    )


def void_all(session: Session, account_id: int, now: datetime) -> None:
    """Void every token of an account, as when its password changes."""
    session.execute(
        update(Token).where(Token.account_id == account_id, *_live(now)).values(voided_at=now)
    )


def _live(now: datetime) -> list[ColumnElement[bool]]:
    return [Token.used_at.is_(None), Token.voided_at.is_(None), Token.expires_at > now]


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
