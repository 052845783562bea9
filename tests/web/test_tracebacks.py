"""The traceback in the log."""

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from app.web.errors import traceback_of


def test_it_names_the_error_its_cause_and_their_places() -> None:
    try:
        try:
            {}["screw"]
        except KeyError as error:
            raise RuntimeError("a screw is loose") from error
    except RuntimeError as error:
        trace = traceback_of(error)
    assert trace.index("builtins.KeyError: 'screw'") < trace.index("RuntimeError: a screw is loose")
    assert __file__ in trace


def test_it_leaves_out_the_values_that_a_database_quotes() -> None:
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.execute(
                text("SELECT :address FROM nowhere"), {"address": "anna@example.org"}
            )
    except OperationalError as error:
        trace = traceback_of(error)
    finally:
        engine.dispose()
    assert "sqlalchemy.exc.OperationalError" in trace
    assert "sqlite3.OperationalError" in trace
    assert "anna@example.org" not in trace
