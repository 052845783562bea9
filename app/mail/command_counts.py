"""The counts of short commands, such as ``pillarbox bounce``. Prometheus does not ask a command, so
it leaves its counts in the database. The process that is asked next adds them to its own.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import String, delete, literal, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.base import Base, insert_for
from app.database.engine import Database
from app.database.errors import DatabaseBusy, describe
from app.mail.metrics import COUNTERS

log = logging.getLogger(__name__)

TAKING_SECONDS = 2
"""How long a scrape waits for another writer on SQLite. Prometheus gives up after ten seconds."""

_Counts = Counter[tuple[str, str]]


class MetricCount(Base):
    """What commands have counted of one series. No label holds an address."""

    __tablename__ = "metric_count"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    labels: Mapped[str] = mapped_column(String(200), primary_key=True)
    """The labels and their values, as a JSON object."""
    number: Mapped[int]


@contextmanager
def handed_over(database: Database) -> Iterator[None]:
    """Write what this process counts during the block into the database at its end, also when the
    block raises. If the database cannot take the counts, they are lost, and the log says so.
    """
    before = _counted()
    try:
        yield
    finally:
        _hand_over(database, _counted() - before)


def _counted() -> _Counts:
    """What this process has counted of each series."""
    return Counter(
        {
            (name, json.dumps(sample.labels)): int(sample.value)
            for name, counter in COUNTERS.items()
            for metric in counter.collect()
            for sample in metric.samples
        }
    )


def _hand_over(database: Database, counts: _Counts) -> None:
    if not counts:
        return
    # Two commands that write the same rows write them in the same order, so that neither waits for
    # the other in a circle.
    rows = [
        {"name": name, "labels": labels, "number": number}
        for (name, labels), number in sorted(counts.items())
    ]
    try:
        with database.transaction(write=True) as session:
            adding = insert_for(session, MetricCount).values(rows)
            number = MetricCount.number + adding.excluded.number
            session.execute(
                adding.on_conflict_do_update(
                    index_elements=["name", "labels"], set_={"number": number}
                )
            )
    except (SQLAlchemyError, DatabaseBusy) as error:
        log.warning("counts of this command are lost: error=%s", describe(error))


def are_waiting(session: Session) -> bool:
    """Whether a command has left counts."""
    return session.scalar(select(literal(1)).select_from(MetricCount).limit(1)) is not None


def take(database: Database) -> None:
    """Move the counts that commands have left into this process's own. If the database cannot give
    them, they wait for the next scrape, and the log says so.
    """
    key = MetricCount.name, MetricCount.labels
    # A command that is adding to a row would keep the scrape waiting. Its counts come next time.
    free = select(*key).with_for_update(skip_locked=True)
    engine = database.writing.execution_options(pillarbox_busy_seconds=TAKING_SECONDS)
    try:
        with Session(engine) as session, session.begin():
            taken = session.execute(
                delete(MetricCount)
                .where(tuple_(*key).in_(free))
                .returning(*key, MetricCount.number)
                .execution_options(synchronize_session=False)
            ).all()
    except (SQLAlchemyError, DatabaseBusy) as error:
        log.warning("counts of commands wait for the next scrape: error=%s", describe(error))
        return
    for name, labels, number in taken:
        COUNTERS[name].labels(**json.loads(labels)).inc(number)
