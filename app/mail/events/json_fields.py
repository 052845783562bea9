"""Reading the JSON of a service without trust in its shape."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NoReturn

from app.mail.events.hearing import LONGEST_ID

JsonObject = dict[str, Any]


class BadBody(ValueError):
    """What came is nothing that the service sends. The text says why, and quotes nothing of it."""


def json_of(source: str) -> Any:
    """The value of a JSON text (RFC 8259). Raises ``BadBody``, for NaN and Infinity too."""
    try:
        return json.loads(source, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadBody("it is not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def objects(body: Any) -> list[JsonObject]:
    """The one object, or the entries of a list. An entry that is no object counts as an empty one,
    because the good events beside it must not be lost. Raises ``BadBody`` without any object.
    """
    events = body if isinstance(body, list) else [body]
    if events and not any(isinstance(event, dict) for event in events):
        raise BadBody("it is neither an object nor a list of objects")
    return [event if isinstance(event, dict) else {} for event in events]


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path of names and positions. None when there is nothing."""
    for step in path:
        if isinstance(step, str):
            is_there = isinstance(value, dict) and step in value
        else:
            is_there = isinstance(value, list) and step < len(value)
        if not is_there:
            return None
        value = value[step]
    return value


def text(value: Any, *path: str | int) -> str:
    """The text at a path, or the number there as text. ``""`` for anything else."""
    found = at(value, *path)
    return str(found) if isinstance(found, str | int | float) else ""


def time(value: Any) -> datetime | None:
    """A time as text (ISO 8601) or in seconds since 1970. None when it is neither."""
    try:
        if isinstance(value, str):
            told = datetime.fromisoformat(value)
            return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def message_id(told: str) -> str:
    """A Message-ID in angle brackets, as we store it. ``""`` when it is none that we make."""
    found = re.fullmatch(r"<?([!-;=?-~]{1,64}@[!-;=?-~]{1,253})>?", told)
    return f"<{found[1]}>" if found else ""


def without_protocol(words: str) -> str:
    """An email server's words without the name of their protocol (RFC 3464 2.3.6)."""
    return re.sub(r"^smtp; ?", "", words)


def event_id(*parts: str) -> str:
    """An id that is the same whenever the same event is told."""
    whole = " ".join(part for part in parts if part)
    if len(whole) <= LONGEST_ID:
        return whole
    return sha256(whole.encode("utf-8", "replace")).hexdigest()
