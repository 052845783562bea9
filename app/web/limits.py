"""Limits: how often somebody may do something within a period, counted in the database (STANDARDS
B7).
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import Index, String, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import short_transaction
from app.database.base import Base
from app.web.proxies import client_of


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` uses of ``name`` within ``period``, for each who uses it."""

    name: str
    count: int
    period: timedelta


def asker(request: Request) -> str:
    """Who asks for an email: the client's network and its browser. A stranger can have as many
    browsers as he likes, but not as many networks. The digest hides the address.
    """
    secret = request.registry.pillarbox.secret.encode()
    network = client_of(request.remote_addr or "").encode()
    digest = hmac.new(secret, network, sha256).hexdigest()[:16]
    return f"{digest}/{request.visitor.name_browser()}"


class LimitUse(Base):
    """One use of a limit. It is deleted when the limit's period is over."""

    __tablename__ = "limit_use"

    id: Mapped[int] = mapped_column(primary_key=True)
    limit_name: Mapped[str] = mapped_column(String(64))
    used_by: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime]

    __table_args__ = (Index("ix_limit_use_limit_name", "limit_name", "used_by"),)


def use(registry: Registry, limit: Limit, used_by: str, now: datetime) -> timedelta | None:
    """Count one use. None when it is within the limit; else how long to wait, and nothing is
    counted.

    This has a short transaction of its own. Call it before the request's transaction begins.
    """
    with short_transaction(registry, write=True) as session:
        _wait_for_others(session, limit, used_by)
        # A use later than now comes from a clock that was ahead. It must not hold anybody back.
        session.execute(
            delete(LimitUse).where(
                LimitUse.limit_name == limit.name,
                or_(LimitUse.used_at <= now - limit.period, LimitUse.used_at > now + limit.period),
            )
        )
        uses = session.scalars(
            select(LimitUse.used_at)
            .where(LimitUse.limit_name == limit.name, LimitUse.used_by == used_by)
            .order_by(LimitUse.used_at)
        ).all()
        if len(uses) >= limit.count:
            return min(uses[-limit.count] + limit.period - now, limit.period)
        session.add(LimitUse(limit_name=limit.name, used_by=used_by, used_at=now))
    return None


def _wait_for_others(session: Session, limit: Limit, used_by: str) -> None:
    """On PostgreSQL, wait for transactions that count the same uses, because neither sees what the
    other has not committed. SQLite has only one writer at a time.
    """
    if session.get_bind().dialect.name == "postgresql":
        digest = sha256(f"{limit.name} {used_by}".encode()).digest()
        number = int.from_bytes(digest[:4], signed=True)
        session.execute(select(func.pg_advisory_xact_lock(_USES, number)))


_USES = 3
"""The first key of this module's advisory locks. The numbers 1 and 2 belong to the limits of emails
and to migrations.
"""
