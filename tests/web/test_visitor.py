"""The visitor's cookie. One that we did not sign counts as none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webob.cookies import SignedSerializer

from app.web.visitor import MOST_BASKET_LINES, MOST_CHARACTERS, Visitor, visitor_serializer

SERIALIZER = visitor_serializer("a secret")


def test_a_visitor_survives_the_way_through_the_browser() -> None:
    visitor = Visitor(csrf_token="token", pending={"address": "ödön@example.org"})
    visitor.set_quantity("letter-paper", 3)
    visitor.tell("Grüße")
    assert SERIALIZER.loads(SERIALIZER.dumps(visitor)) == visitor


@given(st.lists(st.text(max_size=200)))
def test_signed_content_comes_back(messages: list[str]) -> None:
    visitor = Visitor(csrf_token="token", messages=messages)
    assert SERIALIZER.loads(SERIALIZER.dumps(visitor)) == visitor


@given(st.text(max_size=200))
def test_what_we_did_not_sign_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"signature|base64"):
        SERIALIZER.loads(text.encode())


@pytest.mark.parametrize("position", [0, 20, 44, 90, -1])
def test_one_changed_character_makes_it_unreadable(position: int) -> None:
    signed = list(SERIALIZER.dumps(Visitor(csrf_token="token")).decode())
    signed[position] = "A" if signed[position] != "A" else "z"
    with pytest.raises(ValueError, match="Invalid signature"):
        SERIALIZER.loads("".join(signed).encode())


@pytest.mark.parametrize(("secret", "salt"), [("another", None), ("a secret", "another purpose")])
def test_another_secret_or_purpose_does_not_read_it(secret: str, salt: str | None) -> None:
    other = SignedSerializer(secret, salt or SERIALIZER.salt, serializer=SERIALIZER.serializer)
    with pytest.raises(ValueError, match="Invalid signature"):
        SERIALIZER.loads(other.dumps(Visitor(csrf_token="token")))


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
    assert len(SERIALIZER.dumps(visitor)) <= MOST_CHARACTERS


def test_messages_are_taken_once() -> None:
    visitor = Visitor()
    visitor.tell("Done.")
    assert visitor.take_messages() == ["Done."]
    assert visitor.take_messages() == []
