"""The log as JSON, one line for each record. production.ini names the formatter."""

import re
from datetime import UTC, datetime
from logging import LogRecord
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_FIELD = re.compile(r"(?:^|(?<=\s))([a-z][a-z0-9_]*)=")
_NUMBER = re.compile(r"-?[0-9]{1,15}")
_OURS = "app"


class JSONLines(JsonFormatter):
    """Writes a record as JSON: ``time`` in UTC (RFC 3339), ``level``, ``logger`` and ``message``.

    Our own messages are a few words and then ``name=value`` pairs, such as ``email written:
    email=7 state=queued``. Each pair becomes a field, so that a log collector can search for
    ``email: 7``. The value of the last pair may have spaces in it.
    """

    def add_fields(
        self, log_data: dict[str, Any], record: LogRecord, message_dict: dict[str, Any]
    ) -> None:
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        first, _, others = record.getMessage().partition("\n")
        words, fields = fields_of(first) if record.name.partition(".")[0] == _OURS else (first, {})
        log_data["message"] = words
        # A field never takes the place of what every line has.
        log_data.update((name, value) for name, value in fields.items() if name not in log_data)
        if others:
            log_data["details"] = others
        if "exc_info" in message_dict:
            log_data["traceback"] = message_dict["exc_info"]


def fields_of(line: str) -> tuple[str, dict[str, str | int]]:
    """The words of a line, and its ``name=value`` pairs. Whole numbers become numbers."""
    pairs = list(_FIELD.finditer(line))
    if not pairs:
        return line, {}
    ends = [pair.start() for pair in pairs[1:]] + [len(line)]
    fields: dict[str, str | int] = {}
    for pair, end in zip(pairs, ends, strict=True):
        value = line[pair.end() : end].rstrip()
        fields[pair[1]] = int(value) if _NUMBER.fullmatch(value) else value
    return line[: pairs[0].start()].rstrip(" :"), fields
