"""Tags name an email, and nobody else can make them."""

import pytest

from app.mail.events.tags import Tags
from app.settings.values import LONGEST_TAG

TAGS = Tags("a secret of this shop")


@pytest.mark.parametrize("email_id", [1, 12, 2**31 - 1])
def test_a_tag_names_its_email_in_capitals_too(email_id: int) -> None:
    tag = TAGS.of(email_id)
    assert len(tag) <= LONGEST_TAG
    assert TAGS.email_id(tag) == TAGS.email_id(tag.upper()) == email_id


def test_a_tag_of_another_shop_names_nothing() -> None:
    assert TAGS.email_id(Tags("another secret").of(12)) is None


def test_an_altered_tag_names_nothing() -> None:
    number, _, signature = TAGS.of(12).partition("-")
    altered = [
        f"d-{signature}",
        f"{number}-{signature[:-1]}" + ("a" if signature[-1] != "a" else "b"),
        f"{number}-{signature}a",
        f"0{number}-{signature[1:]}",
        f"{number}{signature}",
        f"ffffffff-{signature}",
        "",
        "é-" + signature,
    ]
    assert [tag for tag in altered if TAGS.email_id(tag) is not None] == []


@pytest.mark.parametrize(
    "text",
    ["bounces+{}@shop.example.org", "<Bounces-{}@shop.example.org>", "feedbac{}@b.example", "a-{}"],
)
def test_a_tag_is_found_wherever_it_stands(text: str) -> None:
    assert TAGS.find(text.format(TAGS.of(12))) == TAGS.find(text.format(TAGS.of(12)).upper()) == 12


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bounces@shop.example.org",
        "x" * 100_000,
        "1-" * 100_000,
        "11111111-aaaaaaaaaaaaaaaa" * 100,
    ],
)
def test_no_tag_is_found_where_none_of_this_shop_stands(text: str) -> None:
    assert TAGS.find(text + Tags("another secret").of(12)) is None
