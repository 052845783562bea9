"""Form-encoded nested parameters, as Stripe's libraries send them, and their check.

A schema is a dict of the allowed names. What it says of one: ``str``, ``int``, ``bool``, a tuple of
the allowed words, another schema, a list with the schema of its items, or ``METADATA``.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.stripe.errors import ApiError, invalid
from tests.support.stripe.state import Json

METADATA = "metadata"
EMAIL, URL = "email", "url"


def decode(text: str) -> Json:
    """``a[b][0]=c`` becomes ``{"a": {"b": ["c"]}}``."""
    tree: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parts = [name.partition("[")[0], *re.findall(r"\[([^\]]*)\]", name)]
        node = tree
        for part in parts[:-1]:
            node = node.setdefault(part or str(len(node)), {})
        last = parts[-1] or str(len(node))
        node[last] = value
    return {name: _with_lists(value) for name, value in tree.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(inner) for name, inner in value.items()}


def check(params: Json, schema: Json, required: tuple[str, ...] = ()) -> Json:
    """The parameters with their types. Raises ``ApiError`` 400, as Stripe does, for an unknown
    name, a missing one, or a value that does not fit.
    """
    unknown = _unknown(params, schema, "")
    if unknown:
        noun = "parameter" if len(unknown) == 1 else "parameters"
        message = f"Received unknown {noun}: {', '.join(unknown)}"
        raise invalid(message, unknown[0], "parameter_unknown")
    for name in required:
        if name not in params:
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
    return {name: _typed(value, schema[name], name) for name, value in params.items()}


def need(params: Json, path: str) -> None:
    """Raises ``ApiError`` 400 if ``a[b]`` is not there."""
    node: Any = params
    for part in path.replace("]", "").split("["):
        if isinstance(node, list):
            node = node[int(part)]
        elif part not in node:
            raise invalid(f"Missing required param: {path}.", path, "parameter_missing")
        else:
            node = node[part]


def _unknown(value: Any, schema: Any, at: str) -> list[str]:
    if isinstance(schema, list) and isinstance(value, list):
        return [
            name
            for index, item in enumerate(value)
            for name in _unknown(item, schema[0], f"{at}[{index}]")
        ]
    if isinstance(schema, dict) and isinstance(value, dict):
        return [
            found
            for name, inner in value.items()
            for found in (
                _unknown(inner, schema[name], f"{at}[{name}]" if at else name)
                if name in schema
                else [f"{at}[{name}]" if at else name]
            )
        ]
    return []


def _typed(value: Any, schema: Any, at: str) -> Any:
    if schema == METADATA:
        return _metadata(value, at)
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            raise invalid("Invalid object", at)
        return {name: _typed(inner, schema[name], f"{at}[{name}]") for name, inner in value.items()}
    if isinstance(schema, list):
        if not isinstance(value, list):
            raise invalid("Invalid array", at)
        return [_typed(item, schema[0], f"{at}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {value}", at)
    return _scalar(value, schema, at)


def _scalar(value: str, schema: Any, at: str) -> Any:
    if value == "":
        raise invalid(
            f"You passed an empty string for '{at}'. We assume empty values are an attempt to unset"
            f" a parameter; however '{at}' cannot be unset. You should remove '{at}' from your"
            " request or supply a non-empty value.",
            at,
            "parameter_invalid_empty",
        )
    if schema is int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise invalid(f"Invalid integer: {value}", at, "parameter_invalid_integer")
        return int(value)
    if schema is bool:
        if value not in ("true", "false"):
            raise invalid(f"Invalid boolean: {value}", at)
        return value == "true"
    if isinstance(schema, tuple) and value not in schema:
        words = ", ".join(schema[:-1]) + f", or {schema[-1]}"
        raise invalid(f"Invalid {at}: must be one of {words}", at)
    if schema == EMAIL and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise invalid(f"Invalid email address: {value}", at, "email_invalid")
    if schema == URL:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise invalid("Not a valid URL", at, "url_invalid")
    if len(value) > 5000:
        raise invalid(f"Invalid string: {value[:10]}...; must be at most 5000 characters", at)
    return value


def _metadata(value: Any, at: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 50:
        raise invalid("Metadata must be a hash with up to 50 keys", at)
    for name, text in value.items():
        _check_metadata(name, text, at)
    return dict(value)


def _check_metadata(name: str, text: Any, at: str) -> None:
    if len(name) > 40:
        raise invalid(f"Metadata keys can have up to 40 characters: {name}", at)
    if not isinstance(text, str) or len(text) > 500:
        raise invalid("Metadata values can have up to 500 characters", f"{at}[{name}]")


def at_most(value: str | None, length: int, at: str) -> None:
    if value is not None and len(value) > length:
        raise too_long(value, length, at)


def too_long(value: str, length: int, at: str) -> ApiError:
    message = f"Invalid string: {value[:6]}...{value[-4:]}; must be at most {length} characters"
    return invalid(message, at)
