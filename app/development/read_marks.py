"""Which emails of the mailbox a developer has opened. A cookie keeps it, because a GET changes
nothing in the database, and because each developer has read something else.

The cookie ``80.90.88.87`` says that every email up to the id 80 counts as read, and 90, 88 and 87
as well. When there are more than ``MOST_IDS``, the smallest ones are left out and the first rises.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Self

from pyramid.request import Request
from pyramid.response import Response

from app.development.search import read_id
from app.web.cookies import read_cookie, set_cookie

COOKIE = "pillarbox-mailbox"
LIFETIME = timedelta(days=365)
MOST_IDS = 300
"""The ids fit into 4096 octets, the most that browsers keep."""


class ReadMarks:
    """The emails that were opened: the ids in ``single``, and all ids up to ``up_to``."""

    def __init__(self, up_to: int = 0, single: Iterable[int] = ()) -> None:
        self.up_to = up_to
        self.single = set(single)

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """The marks in the request's cookie; none when it cannot be read."""
        ids = [read_id(text) for text in read_cookie(request, COOKIE).split(".")]
        known = [number for number in ids[1:] if number is not None]
        return cls(ids[0] or 0, known)

    def __contains__(self, number: int) -> bool:
        return number <= self.up_to or number in self.single

    def add(self, number: int) -> None:
        """Mark one email."""
        if number not in self:
            self.single.add(number)
        for smallest in sorted(self.single)[:-MOST_IDS]:
            self.up_to = smallest
            self.single.discard(smallest)

    def add_all(self, up_to: int) -> None:
        """Mark every email up to an id."""
        self.up_to = max(self.up_to, up_to)
        self.single = {number for number in self.single if number > self.up_to}

    def send(self, request: Request, response: Response) -> None:
        """Put the marks into the response's cookie."""
        ids = [self.up_to, *sorted(self.single, reverse=True)]
        set_cookie(request, response, COOKIE, ".".join(map(str, ids)), LIFETIME)
