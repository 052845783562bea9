"""The site that a database belongs to: the host of the `site.base_url` that first used it.

A copy of production that is started elsewhere must not send every queued email a second time, with
links to the wrong place. So a database remembers its site, and a start for another one is refused.
"""

import ipaddress
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import CheckConstraint, Connection, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.base import Base, insert_for

THIS_MACHINE = "localhost"
"""The site of every loopback address, whatever the port."""


class Owner(Base):
    """The site that the database belongs to, in the one row of its table."""

    __tablename__ = "site"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    since: Mapped[datetime]

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


def site_of(base_url: str) -> str:
    """The site of a base URL: its host, or ``localhost`` for every address of this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        is_this_machine = ipaddress.ip_address(host).is_loopback
    except ValueError:
        # RFC 6761 6.3: localhost and every name under it.
        is_this_machine = host == THIS_MACHINE or host.endswith(f".{THIS_MACHINE}")
    return THIS_MACHINE if is_this_machine else host


def owning_site(session: Session | Connection) -> str | None:
    """The site that the database belongs to, None when it belongs to no site yet."""
    return session.scalar(select(Owner.host))


def claim_for(session: Session, site: str, now: datetime) -> None:
    """Make the database the site's, unless it belongs to a site already."""
    claim = insert_for(session, Owner).values(id=1, host=site, since=now)
    session.execute(claim.on_conflict_do_nothing())


def adopt_for(session: Session, site: str, now: datetime) -> str | None:
    """Make the database the site's. Returns the other site that it belonged to until now, or None
    when there was none.
    """
    previous = owning_site(session)
    if previous is None:
        session.add(Owner(id=1, host=site, since=now))
    elif previous != site:
        session.execute(update(Owner).values(host=site, since=now))
        return previous
    return None
