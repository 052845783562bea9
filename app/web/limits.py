"""Limits: how often somebody may do something within a period, counted in the database (STANDARDS
B7). So all web processes share one count.
"""

import hmac
import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from math import ceil
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPTooManyRequests
from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import String, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.base import Base, UTCDateTime
from app.database.engine import Database
from app.database.housekeeping import delete_rows
from app.web.proxies import client_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` uses of ``name`` within ``period``, for each who uses it. The period begins
    with the first use.

    With ``then``, one more use is allowed each time that ``then`` has passed since the last one.
    """

    name: str
    count: int
    period: timedelta
    then: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """``limit`` is reached. ``is_first`` is true once in a period, so that a flood of refused
    requests leaves one line in the log, not thousands.
    """

    limit: Limit
    wait: timedelta
    is_first: bool


class LimitReached(HTTPTooManyRequests):
    """The page says how long to wait."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(headers={"Retry-After": seconds(wait)})
        self.wait = wait


class RateLimit(Base):
    """How often a limit was used by somebody."""

    __tablename__ = "rate_limit"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    """The limit's name, and a digest of who used it."""
    window: Mapped[datetime] = mapped_column(index=True)
    """When the period ends."""
    count: Mapped[int]


def network_of(request: Request) -> str:
    """The client's network: an IPv4 address, or the /64 of an IPv6 address."""
    return client_of(request.remote_addr or "")


def asker(request: Request) -> str:
    """Who asks for an email: the client's network and its browser. A stranger can have as many
    browsers as he likes, but not as many networks. The digest hides the address.
    """
    digest = _digest(request.registry, network_of(request))[:16]
    return f"{digest}/{request.visitor.name_browser()}"


def use(registry: Registry, limit: Limit, used_by: str, now: datetime) -> timedelta | None:
    """Count one use. None when it is within the limit; else how long to wait.

    This has a short transaction of its own. Call it before the request's transaction begins.
    """
    refusal = use_all(registry, [(limit, used_by)], now)
    return None if refusal is None else refusal.wait


def use_all(registry: Registry, uses: Sequence[tuple[Limit, str]], now: datetime) -> Refusal | None:
    """Count one use of each limit, in their order, until one refuses.

    Callers that share limits name them in the same order, so that their transactions do not wait
    for each other in a circle. While the database is away, this process counts for itself.
    """
    refusal = count_uses(registry, uses, now)
    if refusal is not None and refusal.is_first:
        log.warning("limit reached: limit=%s", refusal.limit.name)
    return refusal


def count_uses(
    registry: Registry, uses: Sequence[tuple[Limit, str]], now: datetime
) -> Refusal | None:
    """Do what ``use_all`` does, without its line in the log. It is for work that processes share,
    where a refusal is no news: another process has done the work.
    """
    try:
        with _counting(registry) as session:
            return _use_all(_InDatabase(session), registry, uses, now)
    except OperationalError:
        return _use_all(registry.limits_without_database, registry, uses, now)


def clear(
    registry: Registry,
    *,
    forget: Sequence[tuple[Limit, str]] = (),
    give_back: Sequence[tuple[Limit, str]] = (),
) -> None:
    """Let the counts of ``forget`` begin anew, and take one use of each of ``give_back`` back."""
    forgotten = [key for limit, used_by in forget for key in _keys(registry, limit, used_by)]
    given_back = [_keys(registry, limit, used_by)[0] for limit, used_by in give_back]
    with _counting(registry) as session:
        # In the order in which a use locks them, so that two transactions do not wait for each
        # other.
        for key in sorted(forgotten):
            session.execute(delete(RateLimit).where(RateLimit.key == key))
        if given_back:
            session.execute(
                update(RateLimit)
                .where(RateLimit.key.in_(given_back), RateLimit.count > 0)
                .values(count=RateLimit.count - 1)
            )


def seconds(wait: timedelta) -> str:
    """``wait`` as the header Retry-After has it: whole seconds, rounded up."""
    return str(max(1, ceil(wait.total_seconds())))


class _InDatabase:
    """Counts in the table, one statement for each use."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()

    def count(self, key: str, period: timedelta, now: datetime) -> tuple[int, datetime]:
        """Count one use. Returns how many there are in the period, and when it ends."""
        times = {"now": now, "ends": now + period, "latest": now + 2 * period}
        upsert = _upsert(self._connection.dialect.name)
        count, window = self._connection.execute(upsert, {"used": key, **times}).one()
        return count, window


@cache
def _upsert(dialect: str) -> Any:
    """The statement that counts one use. It is built once, since that takes longer than to run it.

    A window that ends later than ``latest`` comes from a clock that was ahead, and must not hold
    anybody back. One that ends a little too late was begun by a request that is newer than this
    one.
    """
    now, ends, latest = (bindparam(name, type_=UTCDateTime()) for name in ("now", "ends", "latest"))
    is_over = or_(RateLimit.window <= now, RateLimit.window > latest)
    return (
        {"sqlite": sqlite, "postgresql": postgresql}[dialect]
        .insert(RateLimit)
        .values(key=bindparam("used"), window=ends, count=1)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": case((is_over, 1), else_=RateLimit.count + 1),
                "window": case((is_over, ends), else_=RateLimit.window),
            },
        )
        .returning(RateLimit.count, RateLimit.window)
    )


class _InProcess:
    """Counts in this process, while the database is away."""

    MOST_KEYS = 10_000

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()

    def count(self, key: str, period: timedelta, now: datetime) -> tuple[int, datetime]:
        """Count one use. Returns how many there are in the period, and when it ends.

        When too many have to be told apart, they share one count.
        """
        with self._lock:
            if key not in self._counts and len(self._counts) >= self.MOST_KEYS:
                self._counts = {k: v for k, v in self._counts.items() if v[1] > now}
                if len(self._counts) >= self.MOST_KEYS:
                    key = "everybody"
            count, ends = self._counts.get(key, (0, now))
            if not now < ends <= now + 2 * period:
                count, ends = 0, now + period
            self._counts[key] = count + 1, ends
            return self._counts[key]


def _use_all(
    counter: _InDatabase | _InProcess,
    registry: Registry,
    uses: Sequence[tuple[Limit, str]],
    now: datetime,
) -> Refusal | None:
    for limit, used_by in uses:
        refusal = _use_one(counter, limit, _keys(registry, limit, used_by), now)
        if refusal is not None:
            return refusal
    return None


def _use_one(
    counter: _InDatabase | _InProcess, limit: Limit, keys: tuple[str, str, str], now: datetime
) -> Refusal | None:
    key, key_then, key_refused = keys
    count, ends = counter.count(key, limit.period, now)
    is_first = count == limit.count + 1
    if limit.then is not None and count >= limit.count:
        # The last use of the period counts here too, so that the next one has to wait.
        count_then, ends_then = counter.count(key_then, limit.then, now)
        if count == limit.count or count_then == 1:
            return None
        ends = min(ends, ends_then)
        # The use after the last of the period may have been allowed, so refusals have their count.
        is_first = counter.count(key_refused, limit.period, now)[0] == 1
    elif count <= limit.count:
        return None
    return Refusal(limit, ends - now, is_first)


def _keys(registry: Registry, limit: Limit, used_by: str) -> tuple[str, str, str]:
    key = f"{limit.name}:{_digest(registry, used_by)[:32]}"
    return key, f"{key}:then", f"{key}:refused"


def _digest(registry: Registry, text: str) -> str:
    """Whoever reads the table cannot tell from this digest whose address or network it is."""
    return hmac.new(registry.pillarbox.secret.encode(), text.encode(), sha256).hexdigest()


def _counting(registry: Registry) -> AbstractContextManager[Session]:
    # A power failure may undo the last counts. That is worth not waiting for the disk each time.
    database: Database = registry.database
    return database.transaction(write=True, asynchronous_commit=True)


def _sweep(session: Session, now: datetime, limit: int) -> int:
    over = select(RateLimit.key).where(RateLimit.window <= now).limit(limit)
    # A row that a request counts in just now is left for the next time.
    over = over.with_for_update(skip_locked=True)
    return delete_rows(session, RateLimit.key, over)


def includeme(config: Configurator) -> None:
    """Set up the counting without the database, and let housekeeping delete old counts."""
    config.registry.limits_without_database = _InProcess()
    config.add_housekeeping("old limits deleted", _sweep)
