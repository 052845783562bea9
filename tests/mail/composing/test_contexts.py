"""Contexts are written as JSON and read again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum, auto
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from markupsafe import Markup

from app.mail.composing import contexts
from app.mail.composing.contexts import Unkeepable
from tests.support.sample_kinds import KINDS, PREVIEWS


class Colour(Enum):
    RED = (255, 0, 0)


class Size(StrEnum):
    LARGE = "l"


class Rank(IntEnum):
    FIRST = 1


class Extras(Flag):
    RIBBON = auto()
    CARD = auto()


class Point(NamedTuple):
    x: int
    label: str | None


@dataclass(frozen=True, slots=True)
class Parcel:
    number: str
    sent_at: datetime
    weight: Decimal


@dataclass(frozen=True)
class Everything:
    parcels: tuple[Parcel, ...]
    anything: Any
    by_day: Mapping[date, Parcel | None]
    count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", len(self.parcels))


PARCEL = Parcel("A1", datetime(2026, 11, 22, 17, 50, 0, 5, tzinfo=UTC), Decimal("1.50"))


@pytest.mark.parametrize("preview", PREVIEWS, ids=lambda preview: preview.name)
def test_the_samples_of_every_kind_come_back_as_they_were(preview: Any) -> None:
    text = contexts.to_json(preview.context)
    assert contexts.from_json(text) == preview.context
    assert KINDS[preview.kind.name].context is type(contexts.from_json(text))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        10**30,
        0.1,
        "half \ud83d, NUL \x00, <b>'ü'",
        [1, [2, ()]],
        (1, ("a", [None])),
        {1, 2},
        frozenset({Size.LARGE}),
        {"dict": {"tuple": 1}, 7: Rank.FIRST, (1, 2): "a pair"},
        Colour.RED,
        Size.LARGE,
        Rank.FIRST,
        Extras.RIBBON | Extras.CARD,
        Point(1, None),
        date(2026, 2, 28),
        time(23, 59, 1, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        timedelta(days=-1, seconds=5, microseconds=7),
        Decimal("1.20"),
        UUID(int=7),
        b"\x00\xff",
        Everything((PARCEL,), {"who": [Point(2, "b")]}, {date(2026, 1, 1): PARCEL}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    text = contexts.to_json(value)
    assert text.isascii()
    back = contexts.from_json(text)
    assert (back, type(back)) == (value, type(value))


def test_markup_stays_markup_and_any_mapping_becomes_a_dictionary() -> None:
    assert isinstance(contexts.from_json(contexts.to_json(Markup("<b>"))), Markup)
    assert contexts.from_json(contexts.to_json(MappingProxyType({"a": 1}))) == {"a": 1}


class Word(str):
    """A text of its own type."""


@dataclass(frozen=True)
class Forgetful:
    words: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", self.words + "!")


@dataclass(frozen=True)
class Choosy:
    words: Any

    def __post_init__(self) -> None:
        if isinstance(self.words, dict):
            object.__setattr__(self, "words", MappingProxyType(self.words))
        elif not isinstance(self.words, MappingProxyType):
            raise RuntimeError("secret")


def endless() -> list[Any]:
    words: list[Any] = []
    words.append(words)
    return words


def broken_property() -> Any:
    choosy = Choosy({})
    object.__setattr__(choosy, "words", "secret")
    return choosy


def local_class() -> Any:
    @dataclass(frozen=True)
    class Local:
        words: str

    return Local("Hello")


@pytest.mark.parametrize(
    "value",
    [
        Word("secret"),
        object(),
        lambda: "secret",
        local_class(),
        Forgetful("secret"),
        [Word("x")],
        endless(),
        broken_property(),
    ],
    ids=["str", "object", "function", "local", "forgetful", "nested", "endless", "raises"],
)
def test_what_would_not_come_back_is_refused_without_its_value(value: Any) -> None:
    with pytest.raises(Unkeepable) as refused:
        contexts.to_json(value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"a":1,"b":2}',
        '{"datetime":"yesterday"}',
        '{"os:system":"true"}',
        '{"subprocess:Popen":["true"]}',
        '{"no_such_module:Parcel":{}}',
        '{"antigravity:Parcel":{}}',
        json.dumps({f"{__name__}:Parcel": {"number": "A1"}}),
        json.dumps({f"{__name__}:Parcel": {"number": "A1", "gone": 1}}),
    ],
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(Unkeepable):
        contexts.from_json(text)
