"""Recovery codes: each signs in once in place of the authenticator app. They do not depend on the
setting ``secret``.
"""

import secrets
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session

from app.accounts.models import RecoveryCode, SecondFactor

COUNT = 10
LENGTH = 24
"""Characters of 5 bits each: 120 random bits."""
GROUP = 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32, without letters that look like digits."""
_READ_AS = str.maketrans("OIL", "011")


def renew(session: Session, account_id: int) -> list[str]:
    """Delete the account's recovery codes and store new ones. Returns these in groups.

    The database keeps their digests only, so nobody can show them again.
    """
    # Two renewals at once wait for each other here. Otherwise both would leave their codes.
    session.execute(
        select(SecondFactor.account_id)
        .where(SecondFactor.account_id == account_id)
        .with_for_update()
    )
    delete_all(session, account_id)
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(LENGTH)) for _ in range(COUNT)]
    session.add_all(RecoveryCode(account_id=account_id, digest=_digest(code)) for code in codes)
    return [in_groups(code, "-") for code in codes]


def delete_all(session: Session, account_id: int) -> None:
    """Delete the account's recovery codes."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def exists(session: Session, account_id: int, typed: str) -> bool:
    """Whether the account has this code, which was not used yet."""
    return session.scalar(select(RecoveryCode.id).where(_is(account_id, typed))) is not None


def use(session: Session, account_id: int, typed: str) -> bool:
    """Use the code up. False when the account has no such code, or another request used it first.

    Case, spaces and hyphens do not matter.
    """
    used = session.scalars(
        delete(RecoveryCode).where(_is(account_id, typed)).returning(RecoveryCode.id)
    )
    return used.one_or_none() is not None


def left(session: Session, account_id: int) -> int:
    """How many codes the account has."""
    count = session.scalar(
        select(func.count()).select_from(RecoveryCode).where(RecoveryCode.account_id == account_id)
    )
    return count or 0


def in_groups(text: str, separator: str) -> str:
    """``text`` in groups of four, which people read and type more easily."""
    return separator.join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def _is(account_id: int, typed: str) -> ColumnElement[bool]:
    return and_(RecoveryCode.account_id == account_id, RecoveryCode.digest == _digest(typed))


def _digest(code: str) -> bytes:
    letters = "".join(filter(str.isalnum, code.upper()))
    return sha256(letters.translate(_READ_AS).encode()).digest()
