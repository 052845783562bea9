"""The log as JSON: each ``name=value`` of our own lines is a field."""

import json
import logging
from logging import LogRecord
from pathlib import Path
from typing import Any

import pytest

from app.commands.ini_file import IniFile
from app.operations.logs import JSONLines, fields_of

ROOT = Path(__file__).parents[2]


def written(message: str, *values: object, name: str = "app.mail", **options: Any) -> Any:
    """The JSON of a record."""
    record = LogRecord(name, logging.INFO, "x.py", 1, message, values, options.get("exc_info"))
    line = JSONLines().format(record)
    assert "\n" not in line
    return json.loads(line)


def test_the_pairs_of_a_line_are_fields() -> None:
    line = written("email written: email=%d kind=%s state=%s request=%s", 7, "note", "queued", "ab")
    assert line["message"] == "email written"
    assert (line["email"], line["kind"], line["state"], line["request"]) == (
        7,
        "note",
        "queued",
        "ab",
    )
    assert (line["level"], line["logger"]) == ("INFO", "app.mail")
    assert line["time"].endswith("Z")


@pytest.mark.parametrize(
    ("line", "words", "fields"),
    [
        (
            "relay rests: reason=550 no = no, thanks",
            "relay rests",
            {"reason": "550 no = no, thanks"},
        ),
        ("a line without pairs", "a line without pairs", {}),
        ("x: a=1 b=two words c=", "x", {"a": 1, "b": "two words", "c": ""}),
        ("x: huge=12345678901234567890", "x", {"huge": "12345678901234567890"}),
        ("see https://shop.example/?a=1", "see https://shop.example/?a=1", {}),
    ],
)
def test_lines_of_every_form(line: str, words: str, fields: dict[str, object]) -> None:
    assert fields_of(line) == (words, fields)


def test_a_field_takes_no_place_of_what_every_line_has() -> None:
    assert written("x: level=9 message=%s", "other")["level"] == "INFO"


def test_lines_of_other_libraries_stay_as_they_are() -> None:
    assert written("GET /?a=1 b=2", name="waitress")["message"] == "GET /?a=1 b=2"


def test_a_traceback_and_further_lines_are_fields_too() -> None:
    try:
        raise ValueError("wrong")
    except ValueError as error:
        details = type(error), error, error.__traceback__
        line = written("failed: email=%d\nmore", 7, exc_info=details)
    assert (line["message"], line["email"], line["details"]) == ("failed", 7, "more")
    assert "ValueError: wrong" in line["traceback"]


def test_the_log_of_production_ini_is_json(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    level, handlers, ours = root.level, list(root.handlers), logging.getLogger("app").level
    try:
        IniFile(ROOT / "production.ini").set_up_logging()
        logging.getLogger("app.mail").info("email written: email=%d", 7)
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        logging.getLogger("app").setLevel(ours)
    [line] = capfd.readouterr().err.splitlines()
    assert json.loads(line)["email"] == 7
