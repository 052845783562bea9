"""Downloads over slow connections, and beside a withdrawal."""

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp

from app import configure
from app.database.engine import Database
from app.shop.downloads import begin_download
from app.shop.models import File, OrderLine
from tests.support.raw_requests import serving
from tests.support.shop_settings import shop_settings
from tests.support.shopping import buy, order, put_into_basket, sign_in, stock

SIZE = 40 * 1024 * 1024
"""More than the server keeps for a client that does not read."""
THREADS = 4
"""How many answer requests, as waitress has it."""


def test_a_customer_who_does_not_read_keeps_no_thread_of_the_server(
    tmp_path: Path, sqlite_url: str
) -> None:
    request = _request_for_a_download(tmp_path / "files", sqlite_url)
    with serving(tmp_path, sqlite_url, **{"shop.files": str(tmp_path / "files")}) as shop:
        for _ in range(THREADS):
            connection = shop.connect("127.0.0.1", request)
            assert connection.recv(15) == b"HTTP/1.1 200 OK"

        # With all of its threads kept, the server would not answer at all.
        assert shop.seconds_of_a_page("127.0.0.1") < 5


def _request_for_a_download(files: Path, url: str) -> bytes:
    """The octets with which a customer presses the button of a large file."""
    settings = shop_settings(url) | {"shop.files": str(files)}
    app = configure({}, settings).make_wsgi_app()
    database: Database = app.registry.database
    stock(database)
    files.mkdir()
    with database.transaction(write=True) as session:
        for file in session.scalars(select(File)):
            (files / file.sha256).write_bytes(b"")
            os.truncate(files / file.sha256, SIZE)
        session.execute(update(File).values(size=SIZE))
    browser = TestApp(app, extra_environ={"HTTP_HOST": "localhost"})
    sign_in(browser, database)
    put_into_basket(browser, "letter-paper")
    page = order(browser, start_now="y").follow().forms[0].submit().follow()
    [form] = [form for form in page.forms.values() if form.action.endswith("/files/0")]
    body = urlencode(form.submit_fields())
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    database.dispose()
    return (
        f"POST {form.action} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def test_no_download_begins_of_what_was_withdrawn_from_meanwhile(
    app: Router, browser: TestApp, database: Database
) -> None:
    stock(database)
    sign_in(browser, database)
    buy(browser)
    now = datetime.now(UTC)
    with database.transaction(write=False) as session:
        as_read = session.scalars(select(OrderLine)).one()
    with database.transaction(write=True) as session:
        session.execute(update(OrderLine).values(closed_at=now))

    with database.transaction(write=True) as session:
        assert not begin_download(session, as_read, now)

    with database.transaction(write=False) as session:
        assert session.scalars(select(OrderLine.first_download_at)).one() is None
