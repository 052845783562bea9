"""The second factor: an authenticator app, which makes a code of six digits every 30 seconds (TOTP,
RFC 6238).

The app's key is derived from the setting ``secret`` and a random nonce in the database. So whoever
steals the database cannot make codes, and when ``secret`` changes, every key changes with it.
"""

import hmac
import logging
import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

import pyotp
from sqlalchemy import ColumnElement, and_, delete, update
from sqlalchemy.orm import Session

from app.accounts.models import SecondFactor, SignInSession
from app.database.base import insert_for

log = logging.getLogger(__name__)

KEY_OCTETS = 20
"""RFC 4226 section 4 recommends a key of 160 bits. In base32 these are 32 characters."""
NONCE_OCTETS = 32
SET_UP_LIFETIME = timedelta(hours=1)
"""How long a key that no code has proved is shown."""


class KeyChanged(Exception):
    """The key cannot be derived any more, because the setting ``secret`` has changed."""


def find(session: Session, account_id: int) -> SecondFactor | None:
    """The account's second factor if it is on, else None."""
    factor = session.get(SecondFactor, account_id)
    return factor if factor is not None and factor.confirmed_at is not None else None


def find_set_up(
    session: Session, secret: str, account_id: int, now: datetime
) -> SecondFactor | None:
    """The set-up that waits for its first code, else None."""
    factor = session.get(SecondFactor, account_id)
    return factor if factor is not None and _is_under_way(factor, secret, now) else None


def start_set_up(session: Session, secret: str, account_id: int, now: datetime) -> None:
    """Store a new nonce, unless a set-up is under way or the factor is on. Of two starts at once,
    the first one counts.
    """
    old = session.get(SecondFactor, account_id)
    if old is not None and not _is_under_way(old, secret, now):
        session.execute(delete(SecondFactor).where(_is_unproved(old)))
    nonce = secrets.token_bytes(NONCE_OCTETS)
    session.execute(
        insert_for(session, SecondFactor)
        .values(
            account_id=account_id,
            nonce=nonce,
            key_check=_check_of(_derive_key(secret, nonce)),
            created_at=now,
            last_step=0,
        )
        .on_conflict_do_nothing()
    )


def turn_on(session: Session, factor: SecondFactor, step: int, now: datetime) -> bool:
    """End the set-up with the code of ``step``. False when another request did so first."""
    changed = session.scalars(
        update(SecondFactor)
        .where(_is_unproved(factor))
        .values(confirmed_at=now, last_step=step)
        .returning(SecondFactor.account_id)
    )
    return changed.one_or_none() is not None


def turn_off(session: Session, account_id: int) -> bool:
    """Delete the second factor, or its set-up. No session counts as having proved it any more.
    False when there was none.
    """
    session.execute(
        update(SignInSession)
        .where(SignInSession.account_id == account_id)
        .values(second_factor_at=None)
    )
    deleted = session.scalars(
        delete(SecondFactor)
        .where(SecondFactor.account_id == account_id)
        .returning(SecondFactor.account_id)
    )
    return deleted.one_or_none() is not None


def key_of(factor: SecondFactor, secret: str) -> str:
    """The app's key in base32. Raises ``KeyChanged``."""
    key = _derive_key(secret, factor.nonce)
    if not compare_digest(_check_of(key), factor.key_check):
        raise KeyChanged
    return b32encode(key).decode()


def app_link(key: str, *, site_name: str, address: str) -> str:
    """The content of the QR code: an ``otpauth://`` link, as authenticator apps read it."""
    return pyotp.TOTP(key).provisioning_uri(name=address, issuer_name=site_name)


def step_of(factor: SecondFactor, secret: str, code: str, now: datetime) -> int | None:
    """The newest time step whose code this is, of the present one, the one before and the one
    after; else None. Raises ``KeyChanged``, and tells the operator.

    RFC 6238 section 5.2 recommends to allow for one step of delay. The step after is for a phone
    whose clock is ahead.
    """
    try:
        totp = pyotp.TOTP(key_of(factor, secret))
    except KeyChanged:
        log.error(
            "authenticator code cannot be checked, because the setting secret has changed:"
            " account=%d",
            factor.account_id,
        )
        raise
    present = totp.timecode(now)
    steps = (present + 1, present, present - 1)
    matching = [s for s in steps if compare_digest(totp.generate_otp(s).encode(), code.encode())]
    return matching[0] if matching else None


def use_step(session: Session, factor: SecondFactor, step: int) -> bool:
    """Use the code of ``step`` up (RFC 6238 section 5.2). False when it, or the code of a later
    step, was used before.
    """
    used = session.scalars(
        update(SecondFactor)
        .where(
            SecondFactor.account_id == factor.account_id,
            SecondFactor.nonce == factor.nonce,
            SecondFactor.confirmed_at.is_not(None),
            SecondFactor.last_step < step,
        )
        .values(last_step=step)
        .returning(SecondFactor.account_id)
    )
    return used.one_or_none() is not None


def _is_under_way(factor: SecondFactor, secret: str, now: datetime) -> bool:
    if factor.confirmed_at is not None or now - factor.created_at >= SET_UP_LIFETIME:
        return False
    try:
        key_of(factor, secret)
    except KeyChanged:
        return False
    return True


def _is_unproved(factor: SecondFactor) -> ColumnElement[bool]:
    """Whether this set-up still waits for its first code."""
    return and_(
        SecondFactor.account_id == factor.account_id,
        SecondFactor.nonce == factor.nonce,
        SecondFactor.confirmed_at.is_(None),
    )


def _derive_key(secret: str, nonce: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"second factor" + nonce, "sha256")[:KEY_OCTETS]


def _check_of(key: bytes) -> bytes:
    return sha256(b"second factor check" + key).digest()
