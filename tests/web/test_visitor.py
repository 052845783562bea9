"""The visitor's cookie: what goes in comes out, and nothing else is believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.signing import derived_key, sign, unsign
from app.web.visitor import MOST_BASKET_LINES, MOST_CHARACTERS, Visitor

KEY = derived_key("a secret", "visitor cookie")


def test_a_visitor_survives_the_way_through_the_browser() -> None:
    visitor = Visitor(csrf_token="token", pending={"address": "ödön@example.org"})
    visitor.set_quantity("letter-paper", 3)
    visitor.tell("Grüße")
    content = unsign(KEY, sign(KEY, visitor.to_json()))
    assert content is not None
    assert Visitor.from_json(content) == visitor


@given(st.binary(max_size=200))
def test_signed_content_comes_back(content: bytes) -> None:
    assert unsign(KEY, sign(KEY, content)) == content


@given(st.text(max_size=200))
def test_what_we_did_not_sign_is_not_read(text: str) -> None:
    assert unsign(KEY, text) is None


@pytest.mark.parametrize("position", [0, 20, 44, -1])
def test_one_changed_character_makes_it_unreadable(position: int) -> None:
    signed = list(sign(KEY, b'{"csrf_token":"token"}'))
    signed[position] = "A" if signed[position] != "A" else "z"
    assert unsign(KEY, "".join(signed)) is None


def test_a_key_for_one_purpose_does_not_open_another() -> None:
    assert unsign(derived_key("a secret", "another purpose"), sign(KEY, b"{}")) is None


@pytest.mark.parametrize(
    "found",
    [
        [],
        None,
        7,
        {"csrf_token": 7},
        {"surprise": "x"},
        {"basket": {"letter-paper": "3"}},
        {"basket": {"letter-paper": True}},
        {"pending": {"address": None}},
        {"messages": [1]},
    ],
)
def test_content_of_another_shape_is_refused(found: object) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Visitor.from_json(json.dumps(found).encode())


def test_a_visitor_with_nothing_needs_no_cookie() -> None:
    assert Visitor().to_json() == b""


def test_a_basket_has_an_id_while_it_holds_something_and_another_with_each_content() -> None:
    visitor = Visitor()
    ids = []
    for slug, quantity in [("paper", 1), ("ink", 2), ("paper", 0), ("ink", 1)]:
        visitor.set_quantity(slug, quantity)
        ids.append(visitor.basket_id)
    assert len(set(ids) - {""}) == 4
    visitor.set_quantity("ink", 0)
    assert visitor.basket_id == ""
    visitor.set_quantity("ink", 1)
    visitor.empty_basket()
    assert visitor.basket_id == ""


def test_a_quantity_of_none_takes_the_product_out() -> None:
    visitor = Visitor()
    visitor.set_quantity("letter-paper", 1)
    assert visitor.set_quantity("letter-paper", 0)
    assert visitor.basket == {}


def test_a_full_basket_takes_more_of_what_it_has_but_nothing_new() -> None:
    visitor = Visitor()
    for number in range(MOST_BASKET_LINES):
        assert visitor.set_quantity(f"product-{number}", 1)
    assert not visitor.set_quantity("one-too-many", 1)
    assert visitor.set_quantity("product-0", 2)


def test_the_largest_visitor_fits_into_a_cookie() -> None:
    visitor = Visitor(csrf_token="x" * 43, pending={"sign_up": "1" * 10, "address": "x" * 254})
    for number in range(MOST_BASKET_LINES):
        visitor.set_quantity(f"{number:x<40}", 99)
    assert len(sign(KEY, visitor.to_json())) <= MOST_CHARACTERS


def test_messages_are_taken_once() -> None:
    visitor = Visitor()
    visitor.tell("Done.")
    assert visitor.take_messages() == ["Done."]
    assert visitor.take_messages() == []
