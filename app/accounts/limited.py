"""Acts within limits (STANDARDS B7). The first refusal of a period becomes an event."""

from pyramid.request import Request

from app.accounts.events import EventKind, Outcome, record
from app.database import short_transaction
from app.web import limits
from app.web.limits import Limit, LimitReached


def require(
    request: Request, kind: EventKind, *uses: tuple[Limit, str], account_id: int | None = None
) -> None:
    """Count one use of each limit, before anything is looked up. Raises ``LimitReached``, which
    becomes a page with status 429. ``kind`` is the act that is refused then.

    Call it before the request's transaction begins.
    """
    refusal = limits.use_all(request.registry, uses, request.now)
    if refusal is None:
        return
    if refusal.is_first:
        with short_transaction(request.registry, write=True) as session:
            record(session, request, kind, account_id, Outcome.REFUSED)
    raise LimitReached(refusal.wait)


def require_of_network(request: Request, kind: EventKind, limit: Limit) -> None:
    """``require`` for a limit that counts each network."""
    require(request, kind, (limit, limits.network_of(request)))
