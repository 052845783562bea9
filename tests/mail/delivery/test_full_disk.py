"""The database cannot write a verdict that the worker knows, because its disk is full."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy.exc import OperationalError

from app.mail.outbox import outcomes
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.relay import Relay
from tests.support.waiting import eventually
from tests.support.workers import Hire


@on_sqlite
def test_a_worker_that_stops_writes_its_verdicts_as_soon_as_there_is_room_again(
    app: Router,
    outbox: Outbox,
    hire: Hire,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settle: Callable[..., bool] = outcomes.settle
    is_full = threading.Event()
    is_full.set()

    def settle_on_a_disk(*arguments: Any) -> bool:
        settled = settle(*arguments)
        if is_full.is_set():
            raise OperationalError("UPDATE", {}, sqlite3.OperationalError("disk is full"))
        return settled

    monkeypatch.setattr(outcomes, "settle", settle_on_a_disk)
    email = outbox.write(1)
    worker = hire(app)
    with caplog.at_level("INFO"):
        worker.start()
        eventually(lambda: "outcome waits for the database" in caplog.text)
        stop = threading.Thread(target=worker.stop)
        stop.start()
        assert stop.is_alive()
        is_full.clear()
        stop.join(30)
    assert outbox.row(email).state == "sent"
    assert caplog.text.count("delivery attempt: email=1") == 1
