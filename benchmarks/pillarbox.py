"""Pillarbox as a contender: an application, its outbox and its worker processes."""

import itertools
from typing import Self

from app import configure
from app.mail import Message
from app.shop.emails import PURCHASE_RECEIPT
from benchmarks.databases import Databases
from benchmarks.outbox import fill
from benchmarks.processes import Processes
from benchmarks.receipts import BUYER, receipt
from benchmarks.settings import settings_for
from benchmarks.sink import Sink
from tests.support.server_process import pillarbox
from tests.support.shop_settings import write_ini


class Pillarbox:
    """An application on ``engine``. Its workers deliver to ``sink``."""

    def __init__(
        self, databases: Databases, engine: str, sink: Sink, *, connections: int = 2
    ) -> None:
        self.who = f"Pillarbox on {engine}"
        self._databases = databases
        self._url = databases.new(engine)
        values = settings_for(self._url, sink)
        values |= {"email.delivery": "worker", "email.connections": str(connections)}
        self._ini = write_ini(databases.folder / f"{id(self)}.ini", values, log_level="WARNING")
        self._log = databases.folder / f"{id(self)}.log"
        self.router = configure({}, values).make_wsgi_app()
        self.registry = self.router.registry
        self._fillings = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.registry.database.dispose()
        self._databases.drop(self._url)

    def message(self) -> Message:
        """The receipt of 20 lines, composed."""
        composed: Message = self.registry.email_composer.compose(
            PURCHASE_RECEIPT, receipt(), to=BUYER, about="order:1"
        )
        return composed

    def workers(self, number: int) -> Processes:
        """So many ``pillarbox deliver`` processes, which are not started yet."""
        return Processes(*[pillarbox("deliver", self._ini)] * number, log=self._log)

    def fill(self, count: int, message: Message | None = None) -> None:
        """Queue ``message``, or the receipt, ``count`` times."""
        key = f"filling:{next(self._fillings)}"
        fill(self.registry, message or self.message(), count, key=key)
