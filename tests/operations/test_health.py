"""/healthz and /readyz, which a supervisor asks."""

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.database.engine import Database
from app.migrations import migrate
from tests.support.accounts import recorded_statements


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_both_answer_without_session_or_cookie(browser: TestApp, path: str, method: str) -> None:
    response = browser.request(path, method=method)
    assert response.status_int == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    assert response.text == ("ok\n" if method == "GET" else "")


def test_liveness_asks_no_database(browser: TestApp, database: Database) -> None:
    with recorded_statements(database) as statements:
        browser.get("/healthz")
    assert statements == []


def test_readiness_only_reads(browser: TestApp, database: Database) -> None:
    with recorded_statements(database) as statements:
        browser.get("/readyz")
    assert statements
    assert not any(statement.startswith("BEGIN IMMEDIATE") for statement in statements)


def test_a_database_without_tables_is_alive_and_not_ready(app: Router, browser: TestApp) -> None:
    migrate(app.registry.database.engine, "base")
    assert browser.get("/healthz").status_int == 200
    response = browser.get("/readyz", status=503)
    assert response.text == "database not migrated\n"


def test_a_database_that_is_away_is_alive_and_not_ready(app: Router, browser: TestApp) -> None:
    app.registry.database.dispose()
    app.registry.database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nowhere")
    assert browser.get("/healthz").status_int == 200
    response = browser.get("/readyz", status=503)
    assert response.text == "database unreachable\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_nothing_else_is_answered(browser: TestApp, path: str) -> None:
    assert browser.post(path, expect_errors=True).status_int in (400, 404, 405)
