"""Contexts as JSON, so that an email whose template is broken can be composed once it is corrected.

A value that JSON has no form for becomes an object with one member: its name is the value's type,
and its content is what the value is made from. A dataclass, enum or named tuple is named
``module:name``. Reading looks it up among the modules that the application has loaded: it imports
nothing, and it makes no object of another class.
"""

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any
from uuid import UUID

from markupsafe import Markup


class Unkeepable(ValueError):
    """A context cannot be written as JSON, or JSON is not that of a context. The text names the
    type, and never a value.
    """


def to_json(context: Any) -> str:
    """The context as JSON. Raises ``Unkeepable`` when ``from_json`` would not return the same."""
    try:
        encoded = _encode(context)
        comes_back = _encode(_decode(encoded)) == encoded
    except Unkeepable:
        raise
    except Exception as error:
        # A context's own code runs here, and it may raise anything.
        raise Unkeepable(f"writing it as JSON failed ({type(error).__name__})") from error
    if not comes_back:
        raise Unkeepable(f"{type(context).__name__} does not come back from JSON as it was")
    return json.dumps(encoded, separators=(",", ":"))


def from_json(text: str) -> Any:
    """The context that ``to_json`` wrote. Raises ``Unkeepable`` for anything else, such as a
    context whose class has lost a field.
    """
    try:
        return _decode(json.loads(text))
    except Unkeepable:
        raise
    except Exception as error:
        raise Unkeepable(f"its context cannot be read ({type(error).__name__})") from error


_PLAIN = (type(None), bool, int, float, str)
_FORMS: dict[type[Any], tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: (datetime.isoformat, datetime.fromisoformat),
    date: (date.isoformat, date.fromisoformat),
    time: (time.isoformat, time.fromisoformat),
    timedelta: (attrgetter("days", "seconds", "microseconds"), lambda parts: timedelta(*parts)),
    Decimal: (str, Decimal),
    UUID: (str, UUID),
    Markup: (str, Markup),
    bytes: (lambda value: b64encode(value).decode(), b64decode),
    tuple: (lambda value: [_encode(item) for item in value], lambda data: tuple(_all(data))),
    set: (lambda value: [_encode(item) for item in value], lambda data: set(_all(data))),
    frozenset: (
        lambda value: [_encode(item) for item in value],
        lambda data: frozenset(_all(data)),
    ),
    dict: (
        lambda value: [[_encode(k), _encode(v)] for k, v in value.items()],
        lambda data: dict(map(_all, data)),
    ),
}
"""For each type how it is written, and how it is read."""
_BY_NAME = {known.__name__: read for known, (_, read) in _FORMS.items()}


def _encode(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_encode(item) for item in value]
    if kind in _FORMS:
        return {kind.__name__: _FORMS[kind][0](value)}
    if isinstance(value, Enum):
        return {_name_of(kind): _encode(value.value)}
    if is_dataclass(kind):
        made_from = [field.name for field in fields(kind) if field.init]
        return {_name_of(kind): {name: _encode(getattr(value, name)) for name in made_from}}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return {_name_of(kind): [_encode(item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": _FORMS[dict][0](value)}
    raise Unkeepable(f"a {kind.__module__}.{kind.__qualname__} cannot be written as JSON")


def _decode(data: Any) -> Any:
    if isinstance(data, list):
        return _all(data)
    if not isinstance(data, dict):
        return data
    [(name, content)] = data.items()
    if name in _BY_NAME:
        return _BY_NAME[name](content)
    kind = _class_named(name)
    if issubclass(kind, Enum):
        return kind(_decode(content))
    if is_dataclass(kind):
        return kind(**{field: _decode(value) for field, value in content.items()})
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return kind(*_all(content))
    raise Unkeepable(f"{name} is no dataclass, enum or named tuple")


def _all(data: list[Any]) -> list[Any]:
    return [_decode(item) for item in data]


def _name_of(kind: type[Any]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _class_named(name: str) -> type[Any]:
    module, _, path = name.partition(":")
    try:
        found = attrgetter(path)(sys.modules[module])
    except (KeyError, AttributeError):
        found = None
    if not isinstance(found, type):
        raise Unkeepable(f"there is no class {name} that can be read again")
    return found
